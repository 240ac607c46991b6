import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')

/** Uses something of each entry, and would not compile if one of them had no types. */
const PROGRAM = `
  import { openJournal } from 'request-journal'
  import { ERROR_CODES } from 'request-journal/errors'
  import { loggedFetch } from 'request-journal/fetch'
  import { startProxy } from 'request-journal/proxy'
  import { projectOnce } from 'request-journal/projection'
  import { status } from 'request-journal/maintenance'
  import { stats } from 'request-journal/queries'
  import { startServer } from 'request-journal/server'
  export const client: typeof fetch = loggedFetch(openJournal())
  export const used = [ERROR_CODES, startProxy, projectOnce, status, stats, startServer]
  // @ts-expect-error: it isn't a number.
  export const journal: number = openJournal()
  // @ts-expect-error: there is no such option.
  projectOnce({ journal: 'journal', database: 'requests.db', nothing: true })
`

/** A program's folder with what `npm install request-journal @types/node` puts there, and nothing else of this checkout. */
let app: string

beforeAll(() => {
  app = mkdtempSync(join(tmpdir(), 'request-journal-types-'))
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  const installed = Object.entries<Record<string, unknown>>(packages)
    .filter(([, { dev, devOptional, peer, optional }]) => !dev && !devOptional && !peer && !optional)
    .map(([path]) => path)
    .filter((path) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path))
  for (const path of new Set([...installed, 'node_modules/@types/node'])) {
    mkdirSync(dirname(join(app, path)), { recursive: true })
    symlinkSync(join(ROOT, path), join(app, path))
  }
  // Not the whole checkout, whose node_modules would be found from there.
  for (const name of ['package.json', 'dist']) {
    mkdirSync(join(app, 'node_modules/request-journal'), { recursive: true })
    symlinkSync(join(ROOT, name), join(app, 'node_modules/request-journal', name))
  }
  writeFileSync(join(app, 'package.json'), '{"type":"module"}')
  writeFileSync(join(app, 'app.ts'), PROGRAM)
})

afterAll(() => rmSync(app, { recursive: true }))

test.each([
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
])('all entries compile as module %s with resolution %s, every declaration checked', (module, resolution) => {
  expect(existsSync(join(app, 'node_modules/@types/better-sqlite3'))).toBe(true)
  expect(existsSync(join(app, 'node_modules/@types/pg'))).toBe(false)
  // Those of TypeScript's own library are its makers' to check; they take half of the time.
  const declarations = ['--skipLibCheck', 'false', '--skipDefaultLibCheck', 'true']
  const options = ['--strict', '--noEmit', '--target', 'es2023', '--types', 'node', ...declarations]
  // With the links kept, packages that only this checkout has aren't found.
  const { stdout, status } = spawnSync(
    process.execPath,
    [TSC, 'app.ts', '--ignoreConfig', '--preserveSymlinks', ...options, '--module', module].concat(
      '--moduleResolution',
      resolution,
    ),
    { cwd: app, encoding: 'utf8' },
  )
  expect(stdout).toBe('')
  expect(status).toBe(0)
})
