import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { DCLinter } from 'dclint'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { hasPromtool, promtool } from '../server/metrics/promtool.js'
import { ask } from '../support/fleet-checker.js'
import { noPostgres, sharedPostgres } from '../support/postgres.js'
import { end } from '../support/program.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const file = join(root, 'compose.yaml')

interface Service {
  command?: string[]
  environment?: Record<string, string>
  volumes?: string[]
  hostname?: string
  configs?: { source: string; target: string }[]
}

const compose = parse(readFileSync(file, 'utf8'), { merge: true }) as {
  services: Record<string, Service>
  configs: Record<string, { content: string }>
  volumes: Record<string, null>
}
const { services, configs } = compose

describe('compose.yaml', () => {
  test('is what the schema of Compose asks for', () => {
    const linter = new DCLinter({ rules: {}, quiet: false, debug: false, exclude: [] })
    const rulesBroken = (path: string) =>
      (linter.lintFiles([path], false) as { messages: { rule: string; message: string }[] }[]).flatMap(
        ({ messages }) => messages.filter(({ rule }) => rule === 'invalid-schema'),
      )
    expect(rulesBroken(file)).toEqual([])
    const broken = join(mkdtempSync(join(tmpdir(), 'request-journal-compose-')), 'compose.yaml')
    writeFileSync(broken, 'services: { a: { image: 5, comand: x } }\n')
    expect(rulesBroken(broken)).not.toEqual([])
    rmSync(join(broken, '..'), { recursive: true })
  })

  test('names only volumes, configs and files that are there', () => {
    for (const { volumes = [], configs: used = [] } of Object.values(services)) {
      for (const volume of volumes) {
        const [source = ''] = volume.split(':')
        if (source.startsWith('./')) expect(readFileSync(join(root, source)).length).toBeGreaterThan(0)
        else expect(Object.keys(compose.volumes)).toContain(source)
      }
      for (const { source } of used) expect(parse(configs[source]?.content ?? '')).toBeInstanceOf(Object)
    }
  })

  test('has what `npm ci` runs in the context of its image', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const patterns = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')
    for (const [, script = ''] of `${scripts.build} ${scripts['build:bundles']}`.matchAll(
      /node (\S+\.mjs)/g,
    )) {
      const [folder = ''] = script.split('/')
      expect(patterns.includes(folder) && !patterns.includes(`!${script}`), script).toBe(false)
    }
    expect(scripts.build).toContain('.mjs')
  })

  test.skipIf(!hasPromtool)('promtool accepts the configuration of Prometheus, with its rules', () => {
    const folder = mkdtempSync(join(tmpdir(), 'request-journal-compose-'))
    writeFileSync(join(folder, 'prometheus.yml'), configs['prometheus']?.content ?? '')
    writeFileSync(
      join(folder, 'prometheus-alerts.yml'),
      readFileSync(join(root, 'docs/prometheus-alerts.yml')),
    )
    const { status, output } = promtool(['check', 'config', join(folder, 'prometheus.yml')])
    expect(status, output).toBe(0)
    rmSync(folder, { recursive: true })
  })

  test.skipIf(noPostgres !== null)(
    'its commands, as they are written, make a fleet',
    async () => {
      const address = await sharedPostgres()
      const folder = mkdtempSync(join(tmpdir(), 'request-journal-compose-'))
      const schema = `compose_${randomUUID().replaceAll('-', '')}`
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }))

      /** Starts a service's command, with this machine's places in its environment. */
      const run = (name: string, ...more: string[]): ChildProcess => {
        const { command = [], environment = {}, volumes = [] } = services[name] ?? {}
        const [program, ...args] = command
        expect(program).toBe('node')
        const journal = volumes.find((volume) => volume.endsWith(':/journal'))?.split(':')[0]
        const env = {
          ...process.env,
          ...environment,
          REQUEST_JOURNAL_DB: address,
          REQUEST_JOURNAL_SCHEMA: schema,
          REQUEST_JOURNAL_DIR: join(folder, journal ?? 'none'),
        }
        delete (env as Record<string, string | undefined>)['PGPASSWORD']
        const child = spawn(process.execPath, [...args, ...more], {
          cwd: root,
          env,
          stdio: ['ignore', 'pipe', 'pipe'],
        })
        onTestFinished(async () => void (await end(child, 'SIGKILL')))
        return child
      }
      const outputOf = (child: ChildProcess) => {
        const output = { text: '' }
        for (const stream of [child.stdout, child.stderr])
          stream?.on('data', (chunk) => {
            output.text += chunk
          })
        return output
      }

      const migrate = run('migrate')
      const migrated = outputOf(migrate)
      await expect.poll(() => migrate.exitCode, { timeout: 30_000 }).toBe(0)
      expect(migrated.text).not.toContain('error')
      const gateways = ['gateway-1', 'gateway-2'].map((name) => run(name))
      const projectors = ['projector-1', 'projector-2'].map((name) => run(name))
      const serve = run('serve', '--host', '127.0.0.1', '--port', '0')
      const served = outputOf(serve)
      const rows = `SELECT journal, count(*)::int AS n FROM ${schema}.requests WHERE cost_usd > 0 AND labels ->> 'team' IS NOT NULL GROUP BY 1`
      await expect.poll(async () => (await ask(address, rows)).length, { timeout: 30_000 }).toBe(2)
      for (const gateway of gateways) expect(await end(gateway)).toBe(0)

      await expect.poll(() => served.text, { timeout: 30_000 }).toMatch(/http:\/\/127\.0\.0\.1:\d+/)
      const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(served.text) ?? []
      const { scrape_configs } = parse(configs['prometheus']?.content ?? '')
      const [{ authorization, static_configs }] = scrape_configs
      expect(static_configs).toEqual([{ targets: ['serve:8790'] }])
      // As Prometheus asks, which knows the server by the name of its service.
      const page = async (headers: Record<string, string>) => {
        const [answer] = (await once(get(`${url}/metrics`, { headers }), 'response')) as [IncomingMessage]
        return { status: answer.statusCode, text: await text(answer) }
      }
      const host = 'serve:8790'
      const scraped = await page({ host, authorization: `Bearer ${authorization.credentials}` })
      expect(scraped.text).toMatch(/request_journal_requests_total\{[^}]*model="gpt-4o"[^}]*\} \d+/)
      expect((await page({ host })).status).toBe(401)
      for (const child of [...projectors, serve]) expect(await end(child)).toBe(0)
    },
    60_000,
  )
})
