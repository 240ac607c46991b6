import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const ENTRIES = ['', '/errors', '/fetch', '/proxy', '/projection', '/maintenance', '/queries', '/server']

/** A folder of someone's program that has this package installed. */
let app: string

beforeAll(() => {
  app = mkdtempSync(join(tmpdir(), 'request-journal-shaken-'))
  const installed = join(app, 'node_modules/request-journal')
  mkdirSync(installed, { recursive: true })
  // Not the whole checkout, whose node_modules would be found from there.
  for (const name of ['package.json', 'dist']) symlinkSync(join(ROOT, name), join(installed, name))
})

afterAll(() => rmSync(app, { recursive: true }))

/** The files of this package whose code is in the bundle of a program, without `dist/`. */
async function bundled(program: string): Promise<string[]> {
  const { metafile } = await build({
    stdin: { contents: program, resolveDir: app },
    bundle: true,
    platform: 'node',
    format: 'esm',
    preserveSymlinks: true,
    external: Object.keys(manifest.dependencies),
    write: false,
    metafile: true,
    logLevel: 'silent',
  })
  const [output] = Object.values(metafile.outputs)
  const inputs = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
  return inputs.flatMap(([path]) => (path.includes('dist/') ? [path.replace(/.*dist\//, '')] : [])).sort()
}

test('a program that imports every entry and uses none has nothing of them in its bundle', async () => {
  const names = ENTRIES.map((entry, index) => `import * as unused${index} from 'request-journal${entry}'`)
  expect(await bundled(`${names.join('\n')}\nconsole.log('mine')`)).toEqual([])
})

test('a program that only catches an error has only that error in its bundle', async () => {
  for (const entry of ['', '/errors']) {
    const program = `import { JournalError } from 'request-journal${entry}'\nconsole.log(JournalError)`
    expect(await bundled(program)).toEqual(['journal/errors.js'])
  }
})

test('a program that asks has no code that projects, serves or maintains in its bundle', async () => {
  const files = await bundled(`import { stats } from 'request-journal/queries'\nconsole.log(stats)`)
  expect(files).toContain('queries/sums/stats.js')
  expect(files.filter((file) => /^(cli|server|maintenance|projection|clients)\//.test(file))).toEqual([])
})

test('a program is bundled although none of the optional packages is installed', async () => {
  const names = ENTRIES.map((entry, index) => `export * as used${index} from 'request-journal${entry}'`)
  const files = await bundled(names.join('\n'))
  expect(files).toContain('store/postgres/connection/connection.js')
  expect(Object.keys(manifest.peerDependencies)).toContain('pg')
})

test('no module is imported for what its loading does, except those that package.json names', () => {
  const source = join(ROOT, 'src')
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.ts$/.test(file),
  )
  const found = files.filter((file) => /^import '/m.test(readFileSync(join(source, file), 'utf8')))
  expect(found).toEqual([])
  // They run of themselves: a bundler must not drop them where somebody imports them.
  expect(manifest.sideEffects).toEqual(['./dist/cli/main.js', './dist/**/*-worker.js'])
})
