import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'src')

/** Imports point down this list only. */
const ROOMS = [
  'cli',
  'server',
  'maintenance',
  'queries',
  'projection',
  'store',
  'folds',
  'clients',
  'journal',
  'events',
  'package',
]
/** `errors.ts` gathers the errors of every room, and imports nothing else of them. */
const ERRORS = /(^|\/)(errors|package-files)\.js$/
/** What a gateway that appends loads. */
const WRITING_ROOMS = ['journal', 'events']

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
)

function importsOf(file: string): string[] {
  const text = readFileSync(join(source, file), 'utf8')
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
}

describe.each(files)('%s', (file) => {
  const room = file.includes('/') ? file.slice(0, file.indexOf('/')) : 'index'

  test('imports point down the list of rooms', () => {
    const allowed = room === 'index' || room === 'clients' ? WRITING_ROOMS : ROOMS.slice(ROOMS.indexOf(room))
    if (room !== 'index') expect(ROOMS).toContain(room)
    for (const specifier of importsOf(file).filter((name) => name.startsWith('.'))) {
      if (file === 'errors.ts') {
        expect(specifier).toMatch(ERRORS)
        continue
      }
      const target = relative(source, resolve(source, dirname(file), specifier))
      const targetRoom = target.includes('/') ? target.slice(0, target.indexOf('/')) : 'index'
      expect([...allowed, room], `${file} imports ${specifier}`).toContain(targetRoom)
    }
  })

  const text = readFileSync(join(source, file), 'utf8')
  test('leaves it to store/sqlite/connection/driver.ts to load better-sqlite3', () => {
    expect(text).not.toMatch(/^import (?!type\b).*from 'better-sqlite3'/m)
  })

  if (room === 'folds') {
    test('imports nothing but events and folds', () => {
      for (const specifier of importsOf(file)) {
        const target = relative(source, resolve(source, dirname(file), specifier))
        expect(specifier.startsWith('.') ? target : specifier).toMatch(/^(folds|events)\//)
      }
    })
  }

  const mayHaveSql = /^store\/(sqlite|postgres)\//.test(file) || room === 'queries' || room === 'maintenance'
  if (!mayHaveSql) {
    test('has no SQL', () => {
      expect(text).not.toMatch(
        /\b(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE TABLE|PRAGMA)\b/,
      )
    })
  }
})

test('a process that imports request-journal and its errors and appends has loaded neither better-sqlite3 nor chokidar', () => {
  const script = `
    import { mkdtempSync, rmSync } from 'node:fs'
    import { openJournal } from 'request-journal'
    import 'request-journal/errors'
    const directory = mkdtempSync('/tmp/request-journal-import-')
    const journal = openJournal({ directory })
    journal.append({ model: 'm', latency_ms: 1, success: true })
    await journal.close()
    rmSync(directory, { recursive: true })
    const shared = process.report.getReport().sharedObjects.filter((path) => path.endsWith('.node'))
    console.log(JSON.stringify({ shared }))
  `
  // A loader sees every module that is resolved, ESM and CommonJS alike.
  const hooks = `data:text/javascript,${encodeURIComponent(`
    export async function resolve(specifier, context, next) {
      const result = await next(specifier, context)
      process._rawDebug('resolved ' + result.url)
      return result
    }`)}`
  const register = `data:text/javascript,${encodeURIComponent(
    `import { register } from 'node:module'; register(${JSON.stringify(hooks)})`,
  )}`
  const log = execFileSync(
    'sh',
    ['-c', '"$0" --import "$1" --input-type=module -e "$2" 2>&1', process.execPath, register, script],
    { cwd: root, encoding: 'utf8' },
  )
  expect(log).toContain('resolved')
  expect(log).toContain('dist/journal/append/journal.js')
  expect(log).not.toMatch(/better-sqlite3|chokidar/)
  expect(log).toContain('"shared":[]')
})

describe('docs/architecture.md', () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')

  test('names only files and folders that exist', () => {
    const names = [...page.matchAll(/`((?:\w[\w.-]*\/)+(?:[\w-]+(?:\.test)?\.ts)?)`/g)].map(
      ([, name = '']) => name,
    )
    const topLevel = names.filter((name) => !/^[\w-]+\/$/.test(name))
    expect(topLevel.length).toBeGreaterThan(20)
    expect(topLevel.filter((name) => ![source, root].some((from) => existsSync(join(from, name))))).toEqual(
      [],
    )
  })

  test('names constants that their files export', () => {
    const named = [...page.matchAll(/`([A-Z_]+)` (?:in|of) `([\w/-]+\.ts)`/g)]
    expect(named.length).toBeGreaterThan(1)
    for (const [, name, file = ''] of named) {
      expect(readFileSync(join(source, file), 'utf8')).toContain(`export const ${name}`)
    }
  })
})
