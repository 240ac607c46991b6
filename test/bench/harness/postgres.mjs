import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './listeners.mjs'
import { familyCpuSeconds } from './proc.mjs'
import { output, run, start } from './processes.mjs'

/** Where Debian keeps the programs of the server, which aren't on the path. */
const FOLDERS = ['17', '16', '15'].map((version) => `/usr/lib/postgresql/${version}/bin`)
const folder = FOLDERS.find((path) => existsSync(join(path, 'initdb')))

/** Why no server can be started here, or null. */
export async function missingPostgres() {
  return folder === undefined ? 'PostgreSQL’s server isn’t installed' : null
}

/** As a small server is set up: everything is synced, and a checkpoint isn't due in each measurement. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  log_timezone: 'UTC',
}

export const SETTINGS_TEXT = 'fsync on, shared_buffers 256 MB, max_wal_size 4 GB, otherwise as it comes'

/** A server with a cluster of its own, which ends with the benchmark. */
export class PostgresServer {
  #data
  #port = 0
  #databases = 0
  #pid = 0
  #isRunning = false

  /**
   * Makes the cluster.
   *
   * @param {import('./workspace.mjs').Workspace} workspace
   */
  static async create(workspace) {
    // The server doesn't run as root, and its user has to come through.
    chmodSync(workspace.directory, 0o711)
    const directory = workspace.path('postgres')
    mkdirSync(directory)
    if (process.getuid?.() === 0) await run('chown', ['postgres', directory])
    const data = join(directory, 'data')
    await asServer('initdb', ['-D', data, '-A', 'trust', '-U', 'bench', '-E', 'UTF8', '--locale=C.UTF-8'])
    const lines = Object.entries(SETTINGS).map(([name, value]) => `${name} = '${value}'\n`)
    writeFileSync(join(data, 'postgresql.auto.conf'), lines.join(''))
    return new PostgresServer(data)
  }

  /** @param {string} data */
  constructor(data) {
    this.#data = data
  }

  /** Starts it, unless it runs: a contender that failed has had all processes ended. */
  async ensure() {
    if (this.#isRunning) return
    this.#port = await freePort()
    const parameters = ['-D', this.#data, '-p', String(this.#port)]
    const [command, all] = serverCommand('postgres', parameters)
    const child = start(command, all, { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' })
    this.#isRunning = true
    this.#pid = Number(child.pid)
    const end = output(child, 'postgres')
    end
      .catch(() => {})
      .finally(() => {
        this.#isRunning = false
      })
    while (!(await this.#answers())) {
      if (!this.#isRunning) await end
      await sleep(100)
    }
  }

  /** The time that the server and all its processes have had on a core, in seconds. */
  cpuSeconds() {
    return familyCpuSeconds(this.#pid)
  }

  /** Makes an empty database, and returns its address. */
  async createDatabase() {
    await this.ensure()
    const name = `bench_${++this.#databases}`
    await this.ask(this.address('postgres'), `CREATE DATABASE ${name}`)
    return this.address(name)
  }

  /**
   * Removes a database, so that nothing of it is written back while the next one is measured.
   *
   * @param {string} address
   */
  async dropDatabase(address) {
    const name = new URL(address).pathname.slice(1)
    await this.ask(this.address('postgres'), `DROP DATABASE ${name} WITH (FORCE)`)
    await this.ask(this.address('postgres'), 'CHECKPOINT')
  }

  /** @param {string} database */
  address(database) {
    return `postgres://bench@127.0.0.1:${this.#port}/${database}`
  }

  /**
   * Runs statements and returns what psql prints.
   *
   * @param {string} address
   * @param {string} sql
   */
  async ask(address, sql) {
    const parameters = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', address]
    return (await run(programPath('psql'), parameters, { input: sql })).trim()
  }

  async #answers() {
    try {
      await this.ask(this.address('postgres'), 'SELECT 1')
      return true
    } catch {
      return false
    }
  }
}

/**
 * @param {string} program
 * @param {readonly string[]} parameters
 */
async function asServer(program, parameters) {
  const [command, all] = serverCommand(program, parameters)
  await run(command, all)
}

/**
 * @param {string} program
 * @param {readonly string[]} parameters
 * @returns {[command: string, parameters: readonly string[]]}
 */
function serverCommand(program, parameters) {
  const path = programPath(program)
  if (process.getuid?.() !== 0) return [path, parameters]
  return ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', path, ...parameters]]
}

/** @param {string} name */
function programPath(name) {
  return join(folder ?? '', name)
}
