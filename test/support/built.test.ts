import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { endBuild, isBuilt, startBuild } from './built.mjs'

const INPUTS = [
  ...['src/a.ts', 'src/b/c.ts', 'migrations/1_a.sql', 'package.json', 'package-lock.json'],
  ...['tsconfig.json', 'tsconfig.build.json', 'node_modules/.package-lock.json'],
]
const OUTPUTS = ['dist/a.js', 'dist/b/c.js']

/** A checkout that was built. */
function checkout(): string {
  const root = mkdtempSync(join(tmpdir(), 'request-journal-built-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  for (const file of INPUTS) write(root, file)
  build(root)
  return root
}

function write(root: string, file: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true })
  writeFileSync(join(root, file), file)
}

function build(root: string): void {
  startBuild(root)
  for (const file of OUTPUTS) write(root, file)
  endBuild(root)
}

test('dist isn’t built again while sources and dist are as they were', () => {
  expect(isBuilt(checkout())).toBe(true)
})

test.each([...INPUTS, ...OUTPUTS])(
  '%s that was changed, however old it says it is, has dist built',
  (file) => {
    const root = checkout()
    appendFileSync(join(root, file), ' ')
    utimesSync(join(root, file), 0, 0)
    expect(isBuilt(root)).toBe(false)
    build(root)
    expect(isBuilt(root)).toBe(true)
  },
)

test.each<[string, (root: string) => void]>([
  ['a source that was added', (root) => write(root, 'src/b/d.ts')],
  ['a source that was deleted', (root) => rmSync(join(root, 'src/b/c.ts'))],
  ['a source that was renamed', (root) => renameSync(join(root, 'src/b/c.ts'), join(root, 'src/b/d.ts'))],
  ['a file that nobody built', (root) => write(root, 'dist/d.js')],
  ['a built file that is gone', (root) => rmSync(join(root, 'dist/a.js'))],
  ['a built file that can be run', (root) => chmodSync(join(root, 'dist/a.js'), 0o755)],
  ['dist that is gone', (root) => rmSync(join(root, 'dist'), { recursive: true })],
  ['a new installation', (root) => rmSync(join(root, 'node_modules'), { recursive: true })],
  ['a build that was never ended', startBuild],
])('%s has dist built', (_, change) => {
  const root = checkout()
  change(root)
  expect(isBuilt(root)).toBe(false)
})

test('a build works where another package manager than npm has installed the packages', () => {
  const root = checkout()
  rmSync(join(root, 'node_modules/.package-lock.json'))
  build(root)
  expect(isBuilt(root)).toBe(true)
})

test('a source that is changed while dist is built has it built again', () => {
  const root = checkout()
  startBuild(root)
  for (const file of OUTPUTS) write(root, file)
  appendFileSync(join(root, 'src/a.ts'), ' ')
  endBuild(root)
  expect(isBuilt(root)).toBe(false)
})
