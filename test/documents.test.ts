import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { projectOnce } from '../src/projection/index.js'
import { openDatabase } from '../src/store/sqlite/connection/database.js'
import { lines, writeSegment } from './support/journal-files.js'
import { completionLine, requestLine } from './support/lines.js'
import { PAGES, readPage } from './support/pages.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const withoutCode = (text: string) => text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '')

/** The anchors of a page's headings, as GitHub makes them. */
function anchors(page: string): string[] {
  const headings = readPage(page)
    .replace(/^```.*?^```$/gms, '')
    .matchAll(/^#+ (.*)$/gm)
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe.each(PAGES)('%s', (page) => {
  const links = [...withoutCode(readPage(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)

  test('links only to files and headings that exist', () => {
    for (const link of links.filter((target) => !/^https?:/.test(target))) {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? page : relative(root, resolve(root, dirname(page), file))
      expect(existsSync(join(root, target)), `${page} links to ${link}`).toBe(true)
      if (anchor !== undefined) expect(anchors(target), `${page} links to ${link}`).toContain(anchor)
    }
  })
})

test('the README has at most 9 kB, and the index of docs links to every page', () => {
  expect(statSync(join(root, 'README.md')).size).toBeLessThanOrEqual(9_000)
  expect(readPage('README.md')).toContain('](docs/README.md)')
  const linked = new Set(
    [...readPage('docs/README.md').matchAll(/\]\(([^)#\s]+)/g)].map(([, link = '']) => link),
  )
  const others = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md')
  expect(others.filter((page) => !linked.has(page.replace('docs/', '')))).toEqual([])
})

test('each page says what it is for before its first list, table or heading', () => {
  for (const page of PAGES.filter((name) => name.startsWith('docs/'))) {
    const [, first = ''] = /^# .+\n\n([^\n]+)/.exec(readPage(page)) ?? []
    expect(first, page).toMatch(/^[^#|`\-<].*[.:]|^.{60,}/)
  }
})

test('every TypeScript example compiles against the built package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-examples-'))
  try {
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules/request-journal'))
    symlinkSync(join(root, 'node_modules/openai'), join(folder, 'node_modules/openai'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    const given = `declare const logger: import('request-journal/server').ServerLogger
declare const alarm: (reason: unknown) => void\n`
    const names = PAGES.flatMap((page) => {
      const examples = [...readPage(page).matchAll(/^```ts\n(.*?)^```/gms)]
      return examples.map(([, example = ''], index) => {
        const name = `${page.replace('/', '-')}-${index}.ts`
        writeFileSync(join(folder, name), `${given}${example}`)
        return name
      })
    })
    expect(names.length).toBeGreaterThan(4)
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
    const strict = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023']
    const compiled = spawnSync(process.execPath, [tsc, ...strict, ...types, ...names], {
      cwd: folder,
      encoding: 'utf8',
    })
    expect(compiled.stdout).toBe('')
    expect(compiled.status).toBe(0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** The members of an interface, such as the options of a function. */
function members(file: string, name: string): string[] {
  const text = readFileSync(join(root, 'src', file), 'utf8')
  const body = new RegExp(`^export interface ${name} .*?\\{\\n(.*?)^\\}`, 'ms').exec(text)?.[1] ?? ''
  const found = [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, member = '']) => member)
  if (found.length === 0) throw new Error(`${file} has no interface ${name}`)
  return found
}

test.each([
  ['openJournal', members('journal/append/options.ts', 'JournalOptions')],
  ['startProjector', members('projection/options.ts', 'ProjectorOptions')],
  ['replay', members('projection/replay.ts', 'ReplayOptions')],
  [
    'The filter',
    [
      ...members('queries/window/window.ts', 'Window'),
      ...members('queries/window/filter.ts', 'RequestFilter'),
    ],
  ],
  ['stats', members('queries/sums/stats.ts', 'StatsOptions')],
  ['startServer', members('server/options.ts', 'ServerOptions')],
])('docs/library.md has every option under %s', (heading, options) => {
  const section = readPage('docs/library.md')
    .split(/^##+ /m)
    .find((text) => text.startsWith(`${heading}\n`))
  const rows = [...(section ?? '').matchAll(/^\| `(\w+)` \|/gm)].map(([, option]) => option)
  expect(rows.toSorted()).toEqual(options.toSorted())
})

test('docs/clients.md has every option of loggedFetch', () => {
  const section = readPage('docs/clients.md').split('| option | default | |')[1]?.split('\n\n')[0] ?? ''
  const rows = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, option]) => option)
  expect(rows.toSorted()).toEqual(members('clients/fetch/options.ts', 'LoggedFetchOptions').toSorted())
})

test('docs/asking.md has every column of requests, and its SQL answers what it says', async () => {
  const section = readPage('docs/asking.md').split('## With SQL\n')[1]?.split('\n## ')[0] ?? ''
  const named = [...section.matchAll(/^\| (`.*?`) \|/gm)].flatMap(
    ([, names = '']) => names.match(/\w+/g) ?? [],
  )
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-columns-'))
  const [journal, path] = [join(directory, 'journal'), join(directory, 'requests.db')]
  const failed = (error_status: number) => ({ success: false, error_status })
  writeSegment(
    journal,
    lines(
      requestLine('lost', { attempt: 0, ...failed(429) }),
      requestLine('kept', { attempt: 0, ...failed(429) }),
      requestLine('kept', { attempt: 1, latency_ms: 900, cost_usd: 0.5, labels: { team: 'search' } }),
      requestLine('lost', { attempt: 1, ...failed(500) }),
      requestLine('slow', { latency_ms: 300, streaming: true }),
      completionLine('slow', { success: true, stream_duration_ms: 5000 }),
      requestLine('old', { timestamp: '2026-10-10T10:00:00.000Z', cost_usd: 1 }),
      requestLine('o3', { timestamp: '2026-10-10T10:00:00.000Z', cost_usd: 3, model: 'o3' }),
    ),
  )
  await projectOnce({ journal, database: path })
  const database = openDatabase(path)
  try {
    const columns = database.prepare<[], string>(`SELECT name FROM pragma_table_info('requests')`).pluck()
    expect(named.toSorted()).toEqual(columns.all().toSorted())
    const answers = [...section.matchAll(/^```sql\n(.*?)^```/gms)].map(([, sql = '']) =>
      database.prepare(sql).all(),
    )
    expect(answers).toMatchObject([
      [
        { team: null, model: 'o3', requests: 1, usd_billionths: 3e9, percent: 75, unpriced: 0 },
        { team: null, model: 'gpt-4o', usd_billionths: 1e9, percent: 25 },
      ],
      [{ total_ms: 5300 }, { total_ms: 900 }, { total_ms: 100 }, { total_ms: 100 }, { total_ms: 100 }],
      [{ correlation_id: 'lost', attempts: 2, last_id: 4, error_status: 500 }],
    ])
  } finally {
    database.close()
    rmSync(directory, { recursive: true })
  }
})
