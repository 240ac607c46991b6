import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import { env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'vitest'

// Format, lint and types are checked among the tests, where they fill the time in which other tests
// wait for servers and browsers.

const root = fileURLToPath(new URL('..', import.meta.url))
const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'))
const commands: string[] = scripts.check.split(' && ')

describe('npm run check', () => {
  // A compiler has 8 s of work, which other programs on the machine may stretch as they like.
  it.each(commands)('passes: %s', { timeout: 180_000 }, async (command) => {
    const path = [`${root}/node_modules/.bin`, env['PATH']].join(delimiter)
    await new Promise<void>((resolve, reject) => {
      execFile('sh', ['-c', command], { cwd: root, env: { ...env, PATH: path } }, (error, stdout, stderr) => {
        if (error === null) resolve()
        else reject(new Error(`${stdout}${stderr}`))
      })
    })
  })
})
