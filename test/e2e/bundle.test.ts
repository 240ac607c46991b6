import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build } from 'esbuild'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { end } from '../support/program.js'
import { query } from '../support/workspace.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PACKAGES = [
  ...['better-sqlite3', 'chokidar', 'commander', 'fastify', '@fastify/swagger'],
  ...['pino', 'typebox', 'undici'],
]
const children: ChildProcess[] = []

/** A folder of someone's program, with files where this package has its own, which must not be touched. */
let app: string
let journal: string
let database: string

beforeEach(() => {
  app = mkdtempSync(join(tmpdir(), 'request-journal-bundle-'))
  journal = join(app, 'data/journal')
  database = join(app, 'data/requests.db')
  const trap = `require('fs').writeFileSync(${JSON.stringify(join(app, 'trapped'))}, __filename)`
  addFile('migrations/0001_users.sql', 'CREATE TABLE users (name TEXT);')
  addFile('dist/server/pool/query-worker.js', trap)
  addFile('dist/server/projector/projector-worker.js', trap)
  addFile('src/server/dashboard/index.html', 'trap')
  addFile('package.json', '{"name":"app","version":"9.9.9"}')
})

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => end(child, 'SIGKILL')))
  rmSync(app, { recursive: true, force: true })
})

function addFile(name: string, text: string): void {
  mkdirSync(dirname(join(app, name)), { recursive: true })
  writeFileSync(join(app, name), text)
}

function install(...names: string[]): void {
  for (const name of names) {
    const target = name === 'request-journal' ? ROOT : join(ROOT, 'node_modules', name)
    const link = join(app, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(target, link)
  }
}

async function bundle(entry: string, options: BuildOptions): Promise<string> {
  const outfile = join(app, 'dist/server', options.format === 'cjs' ? 'index.cjs' : 'index.mjs')
  await build({
    stdin: { contents: entry, resolveDir: app },
    bundle: true,
    platform: 'node',
    outfile,
    logLevel: 'error',
    ...options,
  })
  return outfile
}

function writeBacklog(): void {
  writeSegment(journal, lines(...Array.from({ length: 3 }, (_, i) => requestLine(`r${i}`))))
}

const PROJECT = `projectOnce({ journal: process.argv[2], database: process.argv[3] }).then(console.log)`

test.each([
  ['wholly, as ESM', { format: 'esm' }, ['better-sqlite3']],
  ['wholly, as CommonJS', { format: 'cjs' }, ['better-sqlite3']],
  ['wholly, beside the package alone, as pnpm installs it,', { format: 'esm' }, ['request-journal']],
  ['with all packages external', { format: 'esm', packages: 'external' }, ['request-journal']],
] satisfies [string, BuildOptions, string[]][])(
  'a program bundled %s projects, and runs nothing of what lies where this package has its files',
  async (_how, options, installed) => {
    writeBacklog()
    const entry = `import { projectOnce } from 'request-journal/projection'\n${PROJECT}`
    // Only while it is bundled.
    const modules = join(app, 'build/node_modules')
    mkdirSync(modules, { recursive: true })
    symlinkSync(ROOT, join(modules, 'request-journal'))
    const file = await bundle(entry, { ...options, nodePaths: [modules] })
    rmSync(join(app, 'build'), { recursive: true })
    install(...installed)
    const { status, stdout, stderr } = spawnSync(process.execPath, [file, journal, database], {
      encoding: 'utf8',
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/projected: 3,/)
    expect(query(database, "SELECT name FROM sqlite_master WHERE name = 'users'")).toEqual([])
    expect(existsSync(join(app, 'trapped'))).toBe(false)
  },
)

test('serve runs from a bundle beside the package, with projector, threads and dashboard', async () => {
  writeBacklog()
  const main = join(ROOT, 'dist/cli/main.js')
  const file = await bundle(`import ${JSON.stringify(main)}`, { format: 'esm', packages: 'external' })
  install(...PACKAGES, 'request-journal')
  const places = ['--db', database, '--journal', journal]
  const child = spawn(process.execPath, [file, 'serve', '--project', '--port', '0', ...places])
  children.push(child)
  const [url] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(async () => {
      throw new Error(`serve ended: ${await child.stderr.toArray()}`)
    }),
  ])
  const page = await (await fetch(`${url}/`)).text()
  expect(page).toContain('<title>request-journal</title>')
  await expect
    .poll(async () => (await (await fetch(`${url}/v1/stats?since=2000-01-01T00:00:00Z`)).json()).counts.total)
    .toBe(3)
  expect(existsSync(join(app, 'trapped'))).toBe(false)
})

test('serve from a bundle without the package says what the bundler needs', async () => {
  const main = join(ROOT, 'dist/cli/main.js')
  const file = await bundle(`import ${JSON.stringify(main)}`, { format: 'esm', packages: 'external' })
  install(...PACKAGES)
  const args = [file, 'serve', '--project', '--port', '0', '--db', database, '--journal', journal]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect(stderr).toMatch(/^error: request-journal .* needs its file .*--external:request-journal/)
  expect(status).toBe(1)
  expect(existsSync(join(app, 'trapped'))).toBe(false)
})
