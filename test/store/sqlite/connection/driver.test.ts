import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { versionProblem } from '../../../../src/store/sqlite/connection/driver.js'
import { temporaryPath } from '../support.js'

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))

/** What the program that opens databases loads of this package. */
const ROOMS = ['events', 'folds', 'journal', 'package', 'store', 'errors.js']

/** A copy of what the built program opens databases with, as it is installed, with whatever is given as better-sqlite3. */
function installedProgram(addDriver: (folder: string) => void): string {
  const modules = join(dirname(temporaryPath()), 'node_modules')
  for (const name of ['package.json', ...ROOMS.map((room) => `dist/${room}`)]) {
    cpSync(join(ROOT, name), join(modules, 'request-journal', name), { recursive: true })
  }
  addDriver(join(modules, 'better-sqlite3'))
  return join(modules, 'request-journal/dist/store/sqlite/connection/database.js')
}

function fakeDriver(version: string, main: string) {
  return (folder: string) => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'better-sqlite3', version, main: 'lib/index.js' }),
    )
    mkdirSync(join(folder, 'lib'))
    writeFileSync(join(folder, 'lib/index.js'), main)
  }
}

/** The real package with another file in place of its addon. */
function realDriver(addon: string | null) {
  return (folder: string) => {
    const modules = dirname(folder)
    for (const name of [
      'better-sqlite3/lib',
      'better-sqlite3/package.json',
      'bindings',
      'file-uri-to-path',
    ]) {
      cpSync(join(ROOT, 'node_modules', name), join(modules, name), { recursive: true })
    }
    if (addon === null) return
    mkdirSync(join(folder, 'build/Release'), { recursive: true })
    writeFileSync(join(folder, 'build/Release/better_sqlite3.node'), addon)
  }
}

/** What opening a database ends with. */
function open(program: string) {
  const script = `
    import { openDatabase } from ${JSON.stringify(program)}
    try {
      openDatabase(${JSON.stringify(join(dirname(program), 'requests.db'))})
    } catch ({ name, code, message }) {
      console.log(JSON.stringify({ name, code, message }))
    }`
  const args = ['--input-type=module', '-e', script]
  const { stdout, stderr, signal } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { signal, stderr, ...JSON.parse(stdout || '{}') }
}

describe('a better-sqlite3 that this Node can not use is refused with the command that mends it', () => {
  const mismatch =
    'was compiled against a different Node.js version using NODE_MODULE_VERSION 137. This version of Node.js requires NODE_MODULE_VERSION 115.'
  test.each([
    [
      'built for another Node',
      fakeDriver(
        '12.11.1',
        `module.exports = class { constructor() { throw Object.assign(new Error(${JSON.stringify(mismatch)}), { code: 'ERR_DLOPEN_FAILED' }) } }`,
      ),
      /its native addon was built for another Node \(NODE_MODULE_VERSION 137\), expected one for Node .*: run `npm rebuild better-sqlite3`/,
    ],
    [
      'built for another system',
      realDriver('not a shared library'),
      /its native addon can't be loaded \(.*\), expected one for Node .*: run `npm rebuild better-sqlite3`/,
    ],
    [
      'whose install script did not run',
      realDriver(null),
      /found no native addon \(.*\), expected one for Node .*: run `npm rebuild better-sqlite3`/,
    ],
    [
      'that is not installed',
      () => {},
      /better-sqlite3: the package can't be found from .*: .*`npm install better-sqlite3@12`/,
    ],
  ])('%s', (_what, addDriver, message) => {
    expect(open(installedProgram(addDriver))).toEqual({
      signal: null,
      stderr: '',
      name: 'DatabaseError',
      code: 'DRIVER_UNUSABLE',
      message: expect.stringMatching(message),
    })
  })

  test.runIf(Number.parseInt(process.versions.node, 10) < 22)('13 on Node 20, before it is loaded', () => {
    const driver = fakeDriver('13.2.0', 'process.kill(process.pid, "SIGSEGV")')
    expect(open(installedProgram(driver))).toMatchObject({
      signal: null,
      code: 'DRIVER_UNUSABLE',
      message: expect.stringMatching(
        /better-sqlite3: better-sqlite3 13\.2\.0 crashes Node 20\..*: run `npm install better-sqlite3@12`/,
      ),
    })
  })

  test('only versions that crash are refused', () => {
    expect(versionProblem('13.2.0', '20.19.0')).toMatch(/needs Node 22/)
    expect(versionProblem('14.0.0', '20.19.0')).toMatch(/needs Node 22/)
    expect(versionProblem('12.11.1', '20.19.0')).toBeNull()
    expect(versionProblem('13.2.0', '22.0.0')).toBeNull()
  })
})
