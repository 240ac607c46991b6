import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { environmentOf, run, writeFile } from './tools.mjs'

/** Someone's program in an empty folder, with this package installed by one of the package managers. */
export class App {
  directory
  node
  #manager
  #env

  constructor(directory, node, manager) {
    this.directory = directory
    this.node = node
    this.#manager = manager
    this.#env = environmentOf(node)
  }

  /**
   * Installs packages: tarballs and those of the registry.
   *
   * @param addons where addons that were compiled are kept, so that each is compiled once for each Node.js.
   */
  install(packages, addons) {
    mkdirSync(this.directory, { recursive: true })
    const dependencies = Object.fromEntries(packages.map(([name, range]) => [name, range]))
    const { name, script } = this.#manager
    // Only npm heeds that better-sqlite3 13 is for Node.js 22 and later.
    const chosen = this.node.major === 20 && name !== 'npm' ? { 'better-sqlite3': '^12.11.1' } : {}
    const manifest = {
      private: true,
      type: 'module',
      dependencies,
      // Each manager runs the scripts of those packages only that the program names.
      allowScripts: { 'better-sqlite3': true },
      pnpm: { onlyBuiltDependencies: ['better-sqlite3'], overrides: chosen },
      resolutions: chosen,
    }
    writeFile(join(this.directory, 'package.json'), JSON.stringify(manifest))
    const args = {
      npm: ['install', '--no-audit', '--no-fund'],
      pnpm: ['install', '--no-frozen-lockfile'],
      // Where npm only warns it refuses: pino-pretty brings a package that names Node.js 22.
      yarn: [
        'install',
        '--no-lockfile',
        '--non-interactive',
        ...(this.node.major === 20 ? ['--ignore-engines'] : []),
      ],
      'yarn with Plug’n’Play': ['install', '--no-immutable'],
    }[name]
    const env = { ...this.#env, CI: 'true', YARN_ENABLE_TELEMETRY: '0', YARN_ENABLE_GLOBAL_CACHE: 'false' }
    const kept = join(addons, `node-${this.node.version}`)
    // A script that compiles has nothing to do if its result is put there afterwards.
    const isKept = existsSync(kept) && name !== 'yarn with Plug’n’Play'
    run(this.node.program, [script, ...args, ...(isKept ? ['--ignore-scripts'] : [])], {
      cwd: this.directory,
      env,
    })
    if (name === 'yarn with Plug’n’Play') return
    const folder = this.#folderOfSqlite()
    const build = join(folder, 'build/Release/better_sqlite3.node')
    if (isKept) cpSync(join(kept, 'better_sqlite3.node'), build, { recursive: true })
    else if (existsSync(build)) cpSync(build, join(kept, 'better_sqlite3.node'), { recursive: true })
  }

  /** The version of SQLite's addon that was chosen. */
  get sqliteVersion() {
    return JSON.parse(readFileSync(join(this.#folderOfSqlite(), 'package.json'), 'utf8')).version
  }

  /** Runs a file of the app, and gives what it printed. */
  runFile(file, ...args) {
    const command =
      this.#manager.name === 'yarn with Plug’n’Play' ? [this.#manager.script, 'node', file] : [file]
    return run(this.node.program, [...command, ...args], {
      cwd: this.directory,
      env: this.#env,
      timeoutMs: 120_000,
    })
  }

  /** Runs the command that the package brings, as its users do. */
  runCommand(...args) {
    const { name, script } = this.#manager
    const by = {
      npm: ['exec', '--'],
      pnpm: ['exec'],
      yarn: ['--silent', 'run'],
      'yarn with Plug’n’Play': ['run'],
    }[name]
    return run(this.node.program, [script, ...by, 'request-journal', ...args], {
      cwd: this.directory,
      env: this.#env,
    })
  }

  #folderOfSqlite() {
    const own = createRequire(realpathSync(join(this.directory, 'node_modules/request-journal/package.json')))
    let folder = dirname(own.resolve('better-sqlite3'))
    while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
    return folder
  }
}
