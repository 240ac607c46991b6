import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { renderMetrics } from '../../../src/server/metrics/render-metrics.js'
import { HAPROXY, RunningProxy } from '../../dashboard/support/proxy.js'
import { codeBlocks } from '../../support/pages.js'
import { parseExposition } from './exposition-parser.js'
import { metricsInput } from './metrics-input.js'
import { hasPromtool, promtool } from './promtool.js'

interface Panel {
  id: number
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: { expr: string }[]
}

const docs = fileURLToPath(new URL('../../../docs', import.meta.url))
const read = (name: string) => readFileSync(join(docs, name), 'utf8')
const page = parseExposition(renderMetrics(metricsInput()))
const dashboard = JSON.parse(read('grafana-dashboard.json')) as {
  panels: Panel[]
  templating: { list: { name: string; type: string; query: unknown }[] }
}
const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

function metricsIn(text: string): string[] {
  return [...new Set(text.match(/\brequest_journal_\w+/g))].sort()
}

describe.each(['prometheus-alerts.yml', 'grafana-dashboard.json', 'monitoring.md'])('%s', (file) => {
  test('names only metrics that the page has', () => {
    const unknown = metricsIn(read(file)).filter((name) => !page.names.has(name) && !page.families.has(name))
    expect(unknown).toEqual([])
    expect(metricsIn(read(file)).length).toBeGreaterThan(5)
  })
})

test('fleet.md names only metrics that the page of many journals has, and all that monitoring.md has not', () => {
  const journal = {
    events: 1,
    late: 0,
    unchecked: 0,
    held: 0,
    rejected_lines: 0,
    lag_seconds: 0,
    version: '1',
  }
  const seen = {
    host: 'a',
    last_seen: '2026-11-22T12:00:00.000Z',
    caught_up_at: null,
    projector_running: true,
  }
  const journals = ['a', 'b'].map((journal_id) => ({ journal_id, ...journal, ...seen }))
  const shared = { ...metricsInput(), projection: { is: 'shared' as const, journals, databaseBytes: 1 } }
  const { names } = parseExposition(renderMetrics(shared))
  expect(metricsIn(read('fleet.md')).filter((name) => !names.has(name))).toEqual([])
  const described = metricsIn(read('fleet.md') + read('monitoring.md'))
  expect([...names].filter((name) => !described.includes(name.replace(/_(bucket|sum|count)$/, '')))).toEqual(
    [],
  )
})

test('monitoring.md describes every metric, with its type and its labels', () => {
  const rows = [
    ...read('monitoring.md').matchAll(/^\| `(request_journal_\w+)(?:\{([\w, ]+)\})?` \| (\w+) \|/gm),
  ]
  const described = rows.map(([, name, labels, type]) => [name, { labels: labels ?? '', type }])
  const found = [...page.families].map(([name, { type }]) => {
    const sample = [...page.samples.keys()].find((key) => key.startsWith(name)) ?? ''
    const labels = Object.keys(JSON.parse(sample.match(/\{.*\}/s)?.[0] ?? '{}'))
    return [name, { labels: labels.filter((label) => label !== 'le').join(', '), type }]
  })
  expect(Object.fromEntries(described)).toEqual(Object.fromEntries(found))
})

describe('dashboard', () => {
  test('each panel has an id and a place of its own', () => {
    const ids = dashboard.panels.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const cells = dashboard.panels.flatMap(({ title, gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => ({
        title,
        at: `${x + (cell % w)},${y + Math.floor(cell / w)}`,
      })),
    )
    const places = new Map(cells.map(({ title, at }) => [at, title]))
    expect(cells.filter(({ title, at }) => places.get(at) !== title)).toEqual([])
    expect(Math.max(...dashboard.panels.map(({ gridPos: { x, w } }) => x + w))).toBe(24)
  })

  test('panels ask the chosen data source, by variables that exist', () => {
    const [source] = dashboard.templating.list
    expect(source).toMatchObject({ name: 'datasource', type: 'datasource', query: 'prometheus' })
    const own = new Set(dashboard.templating.list.map(({ name }) => name))
    const used = read('grafana-dashboard.json').match(/\$\{?[a-z]\w*/g) ?? []
    expect(
      [...new Set(used.map((name) => name.replace(/[${]/g, '')))].filter((name) => !own.has(name)),
    ).toEqual([])
    const uids = [...read('grafana-dashboard.json').matchAll(/"uid": "([^"]+)"/g)].map(([, uid]) => uid)
    expect(uids.filter((uid) => uid !== 'request-journal' && !/^\$\{datasource\}$/.test(uid ?? ''))).toEqual(
      [],
    )
  })
})

describe.skipIf(!hasPromtool)('promtool', () => {
  test('accepts the rules', () => {
    expect(promtool(['check', 'rules', join(docs, 'prometheus-alerts.yml')])).toMatchObject({ status: 0 })
  })

  test('sees each alert fire at its fault, and none if all is well', () => {
    const tests = fileURLToPath(new URL('prometheus-alerts.test.yml', import.meta.url))
    const { status, output } = promtool(['test', 'rules', tests])
    expect(status, output).toBe(0)
  })

  test('understands every query of the dashboard', () => {
    const directory = mkdtempSync(join(tmpdir(), 'request-journal-promql-'))
    try {
      const file = join(directory, 'queries.json')
      const rules = expressions.map((expression, index) => ({
        record: `query_${index}`,
        expr: expression.replaceAll('$__rate_interval', '5m').replace(/\$\w+/g, '.*'),
      }))
      // YAML takes JSON.
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
      expect(rules.length).toBeGreaterThan(15)
      expect(promtool(['check', 'rules', file])).toMatchObject({ status: 0 })
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

const blocksOf = (language: string) =>
  codeBlocks('docs/monitoring.md').flatMap((block) => (block.language === language ? [block.text] : []))

test.skipIf(!hasPromtool)('promtool accepts the configuration and the rules on the page', () => {
  const [configuration = '', rules = ''] = blocksOf('yaml')
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-monitoring-'))
  writeFileSync(join(folder, 'prometheus.yml'), configuration)
  writeFileSync(join(folder, 'prometheus-alerts.yml'), rules)
  writeFileSync(join(folder, 'request-journal.token'), 'correct-horse-battery-staple')
  const { status, output } = promtool(['check', 'config', join(folder, 'prometheus.yml')])
  expect(status, output).toBe(0)
  expect(output).toContain('2 rules found')
  rmSync(folder, { recursive: true })
})

test.skipIf(!existsSync(HAPROXY))(
  'haproxy asks the server as the page says, and passes requests on',
  async () => {
    const [backend = ''] = blocksOf('haproxy')
    const asked: string[] = []
    const server = createServer(({ method, url }, response) => {
      asked.push(`${method} ${url}`)
      response.end('here')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const configure = (port: number, upstream: number) => `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend all
  bind 127.0.0.1:${port}
  default_backend request-journal
${backend.replace('8790', String(upstream))}`
    const kind = { program: HAPROXY, configure, args: (file: string) => ['-db', '-f', file] }
    const proxy = await RunningProxy.start(kind, (server.address() as AddressInfo).port)
    try {
      expect(await (await fetch(`${proxy.url}/page`)).text()).toBe('here')
      await expect.poll(() => asked, { timeout: 10_000 }).toContain('GET /livez')
    } finally {
      await proxy.stop()
      server.close()
    }
  },
)
