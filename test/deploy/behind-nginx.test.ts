import { existsSync } from 'node:fs'
import { describe, expect } from 'vitest'
import { NGINX, nginxWith, RunningProxy } from '../dashboard/support/proxy.js'
import { TOKEN, test } from '../server/support.js'
import { codeBlocks } from '../support/pages.js'

const block = codeBlocks('docs/deploy.md', 'Behind nginx').find(({ language }) => language === 'nginx')

/** The page's block, without a certificate. */
const documented = nginxWith(
  (port, upstream) =>
    block?.text
      .replace('443 ssl', `127.0.0.1:${port}`)
      .replace(/^ *ssl_.*\n/gm, '')
      .replace('127.0.0.1:8790', `127.0.0.1:${upstream}`) ?? '',
)

describe.skipIf(!existsSync(NGINX))('nginx as docs/deploy.md has it (needs nginx)', () => {
  test('passes on the page, the API and the demand for a token', async ({ closedServer }) => {
    const proxy = await RunningProxy.start(documented, Number(new URL(closedServer.url).port))
    try {
      expect((await fetch(`${proxy.url}/v1/stats`)).status).toBe(401)
      const authorization = `Basic ${Buffer.from(`anyone:${TOKEN}`).toString('base64')}`
      const ask = (path: string) => fetch(`${proxy.url}${path}`, { headers: { authorization } })
      expect(await (await ask('/')).text()).toContain('<title>request-journal</title>')
      expect(await (await ask('/v1/stats')).json()).toMatchObject({ counts: { total: 1 } })
    } finally {
      await proxy.stop()
    }
  })
})
