import { execFile, execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Where Debian keeps the programs of the server, which aren't on the path. */
const PROGRAMS = ['/usr/lib/postgresql/15/bin', '/usr/lib/postgresql/16/bin', '/usr/lib/postgresql/17/bin']
const programs = PROGRAMS.find((directory) => existsSync(join(directory, 'initdb')))

/** Why tests of PostgreSQL can't run here; null if they can. */
export const noPostgres = programs === undefined ? 'PostgreSQL’s server isn’t installed' : null

/** A server of its own for some tests, which may kill it. */
export class PostgresServer {
  readonly port: number
  readonly directory: string

  /**
   * Makes a cluster and starts it.
   *
   * @param parent the folder that its own folder is made in.
   */
  static async start(
    settings: Readonly<Record<string, string>> = {},
    parent = tmpdir(),
  ): Promise<PostgresServer> {
    const directory = makeFolder(parent)
    asServer('cp', ['-a', await newCluster(), join(directory, 'data')])
    const server = new PostgresServer(directory, await freePort())
    server.#configure({
      listen_addresses: "'127.0.0.1'",
      unix_socket_directories: `'${directory}'`,
      port: String(server.port),
      shared_buffers: '64MB',
      log_timezone: 'UTC',
      ...settings,
    })
    server.startAgain()
    return server
  }

  private constructor(directory: string, port: number) {
    this.directory = directory
    this.port = port
  }

  /** The address of a database. */
  address(database = 'postgres'): string {
    return `postgres://tester@127.0.0.1:${this.port}/${database}`
  }

  /**
   * Has the server use TLS once it has read its settings again.
   *
   * @param directory has ca.crt, server.crt and server.key.
   * @param rules lines of pg_hba.conf, each a kind of connection, a user and a method, before those that let all in.
   */
  useTls(directory: string, rules: readonly (readonly [kind: string, user: string, method: string])[]): void {
    const data = join(this.directory, 'data')
    for (const name of ['ca.crt', 'server.crt', 'server.key']) {
      copyFileSync(join(directory, name), join(data, name))
      chmodSync(join(data, name), 0o600)
      if (process.getuid?.() === 0) execFileSync('chown', ['postgres', join(data, name)])
    }
    const hba = join(data, 'pg_hba.conf')
    const lines = rules.map(([kind, user, method]) => `${kind} all ${user} all ${method}\n`)
    writeFileSync(hba, `${lines.join('')}${readFileSync(hba, 'utf8')}`)
    this.#configure({
      ...{ ssl: 'on', ssl_ca_file: "'ca.crt'" },
      ...{ ssl_cert_file: "'server.crt'", ssl_key_file: "'server.key'" },
    })
  }

  /** Copies the cluster while it works, into a folder beside its own. */
  async backUp(): Promise<void> {
    await this.#copyTo(this.directory, 'copy', this.port)
  }

  /** Puts the copy in the place of the cluster, which must have stopped. */
  restore(): void {
    asServer('rm', ['-rf', join(this.directory, 'data')])
    asServer('mv', [join(this.directory, 'copy'), join(this.directory, 'data')])
  }

  /** Starts a replica, which follows this server by the port that is given: its own, or a proxy's. */
  async startReplica(port: number): Promise<PostgresServer> {
    const directory = makeFolder(tmpdir())
    await this.#copyTo(directory, 'data', port, ['-R'])
    const replica = new PostgresServer(directory, await freePort())
    replica.#configure({ port: String(replica.port), unix_socket_directories: `'${directory}'` })
    replica.startAgain()
    return replica
  }

  /** Makes a replica a server of its own. */
  promote(): void {
    asServer(program('pg_ctl'), ['-D', join(this.directory, 'data'), '-w', 'promote'])
  }

  /** Kills every process of the server at once, as the end of its machine does. */
  async crash(): Promise<void> {
    const file = join(this.directory, 'data', 'postmaster.pid')
    const postmaster = Number(readFileSync(file, 'utf8').split('\n')[0])
    // It can't start others any more when they are listed.
    process.kill(postmaster, 'SIGSTOP')
    const others = processes().filter(({ parent }) => parent === postmaster)
    const pids = new Set([postmaster, ...others.map(({ pid }) => pid)])
    for (const pid of pids) killIfThere(pid)
    while (processes().some(({ pid, isOver }) => pids.has(pid) && !isOver)) await wait(5)
    // Where nobody reaps it, a process that is over still has its number, by which these are judged.
    rmSync(file, { force: true })
    rmSync(join(this.directory, `.s.PGSQL.${this.port}.lock`), { force: true })
  }

  get isRunning(): boolean {
    try {
      asServer(program('pg_ctl'), ['-D', join(this.directory, 'data'), 'status'])
      return true
    } catch {
      return false
    }
  }

  startAgain(): void {
    asServer(program('pg_ctl'), [
      '-D',
      join(this.directory, 'data'),
      '-l',
      join(this.directory, 'log'),
      '-w',
      'start',
    ])
  }

  /** @param mode as `pg_ctl stop -m` has it; `immediate` is a crash. */
  stop(mode: 'fast' | 'immediate' = 'fast'): void {
    asServer(program('pg_ctl'), ['-D', join(this.directory, 'data'), '-m', mode, '-w', 'stop'])
  }

  async #copyTo(
    directory: string,
    name: string,
    port: number,
    options: readonly string[] = [],
  ): Promise<void> {
    const [file, args] = asServerUser(program('pg_basebackup'), [
      ...['-D', join(directory, name), '-h', '127.0.0.1', '-p', String(port), '-U', 'tester'],
      ...['-X', 'stream', '-c', 'fast', '-N', ...options],
    ])
    await promisify(execFile)(file, args, { cwd: tmpdir() })
  }

  #configure(settings: Readonly<Record<string, string>>): void {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
    appendFileSync(join(this.directory, 'data', 'postgresql.auto.conf'), lines.join(''))
  }

  remove(): void {
    try {
      this.stop('immediate')
    } catch {
      // A test may have stopped it.
    }
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/**
 * The address of a server that all tests of a run share, which starts it: each uses a schema of its
 * own. The run's end stops it.
 */
export async function sharedPostgres(): Promise<string> {
  const { address } = await madeOnce('postgres', async () => {
    const server = await PostgresServer.start({ fsync: 'off', max_connections: '200' })
    return { address: server.address(), directory: server.directory }
  })
  return address
}

/** The folder of a cluster that never ran. A copy of it takes a tenth of what making another would. */
async function newCluster(): Promise<string> {
  const { directory } = await madeOnce('cluster', async () => {
    const directory = makeFolder(tmpdir())
    asServer(program('initdb'), [
      ...['-D', join(directory, 'data'), '-A', 'trust', '-U', 'tester', '-N'],
      ...['-E', 'UTF8', '--locale=C.UTF-8'],
    ])
    return { directory }
  })
  return join(directory, 'data')
}

/** What the first of all processes of a run to ask for it makes, and the others wait for. */
async function madeOnce<T>(name: string, make: () => Promise<T>): Promise<T> {
  const run = process.env['REQUEST_JOURNAL_TEST_RUN']
  if (run === undefined) throw new Error('unreachable: test/support/build.ts names the folder')
  const file = join(run, `${name}.json`)
  try {
    mkdirSync(join(run, `${name}.starting`))
    const made = await make()
    writeFileSync(`${file}.part`, JSON.stringify(made))
    execFileSync('mv', [`${file}.part`, file])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    while (!existsSync(file)) await wait(50)
  }
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** A schema of a database as SQL that restores it. */
export function dump(address: string, schema: string): string {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28 } as const
  const sql = execFileSync(program('pg_dump'), ['--inserts', '-n', schema, address], options)
  // What only psql understands, and settings that would outlive it.
  return sql.replaceAll(/^(\\|SET |SELECT pg_catalog.set_config).*$/gm, '')
}

/** Stops the shared server of a run if it was started, and takes away what it was made of. */
export function stopSharedPostgres(run: string): void {
  const [server, cluster] = ['postgres', 'cluster'].map((name) => {
    const file = join(run, `${name}.json`)
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')).directory as string) : null
  })
  try {
    if (server) asServer(program('pg_ctl'), ['-D', join(server, 'data'), '-m', 'immediate', '-w', 'stop'])
  } finally {
    for (const directory of [server, cluster]) {
      if (directory) rmSync(directory, { recursive: true, force: true })
    }
  }
}

function makeFolder(parent: string): string {
  const directory = mkdtempSync(join(parent, 'request-journal-postgres-'))
  if (process.getuid?.() === 0) execFileSync('chown', ['postgres', directory])
  return directory
}

/** All processes of the machine. */
function processes(): { pid: number; parent: number; isOver: boolean }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // After the name, which may hold anything.
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')
        return [{ pid: Number(name), parent: Number(stat[1]), isOver: stat[0] === 'Z' || stat[0] === 'X' }]
      } catch {
        // It has ended meanwhile.
        return []
      }
    })
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function program(name: string): string {
  return join(programs ?? '', name)
}

function asServer(command: string, args: readonly string[]): void {
  const [file, all] = asServerUser(command, args)
  execFileSync(file, all, { cwd: tmpdir(), stdio: ['ignore', 'ignore', 'pipe'] })
}

/** The server refuses to run as root. */
function asServerUser(command: string, args: readonly string[]): [file: string, args: readonly string[]] {
  if (process.getuid?.() !== 0) return [command, args]
  return ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', command, ...args]]
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
