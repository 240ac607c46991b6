import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** Where Debian keeps the programs of the server, which aren't on the path. */
const PROGRAMS = ['/usr/lib/postgresql/15/bin', '/usr/lib/postgresql/16/bin', '/usr/lib/postgresql/17/bin']
const programs = PROGRAMS.find((directory) => existsSync(join(directory, 'initdb')))

/** Why tests of PostgreSQL can't run here; null if they can. */
export const noPostgres = programs === undefined ? 'PostgreSQL’s server isn’t installed' : null

/** A server of its own for some tests, which may kill it. */
export class PostgresServer {
  readonly port: number
  readonly directory: string

  /** Makes a cluster and starts it. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'request-journal-postgres-'))
    asServer('chown', ['postgres', directory], true)
    asServer(program('initdb'), [
      '-D',
      join(directory, 'data'),
      '-A',
      'trust',
      '-U',
      'tester',
      '-N',
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
    ])
    const server = new PostgresServer(directory, await freePort())
    const all = {
      listen_addresses: "'127.0.0.1'",
      unix_socket_directories: `'${directory}'`,
      port: String(server.port),
      shared_buffers: '64MB',
      log_timezone: 'UTC',
      ...settings,
    }
    const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}\n`)
    writeFileSync(join(directory, 'data', 'postgresql.auto.conf'), lines.join(''))
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
  const directory = process.env['REQUEST_JOURNAL_TEST_RUN']
  if (directory === undefined) throw new Error('unreachable: test/support/build.ts names the folder')
  const file = join(directory, 'postgres.json')
  try {
    mkdirSync(join(directory, 'postgres.starting'))
    const server = await PostgresServer.start({ fsync: 'off', max_connections: '200' })
    writeFileSync(`${file}.part`, JSON.stringify({ address: server.address(), directory: server.directory }))
    execFileSync('mv', [`${file}.part`, file])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    while (!existsSync(file)) await wait(50)
  }
  return JSON.parse(readFileSync(file, 'utf8')).address
}

/** A schema of a database as SQL that restores it. */
export function dump(address: string, schema: string): string {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28 } as const
  const sql = execFileSync(program('pg_dump'), ['--inserts', '-n', schema, address], options)
  // What only psql understands, and settings that would outlive it.
  return sql.replaceAll(/^(\\|SET |SELECT pg_catalog.set_config).*$/gm, '')
}

/** Stops the shared server of a run if it was started. */
export function stopSharedPostgres(directory: string): void {
  const file = join(directory, 'postgres.json')
  if (!existsSync(file)) return
  const server = JSON.parse(readFileSync(file, 'utf8')).directory
  try {
    asServer(program('pg_ctl'), ['-D', join(server, 'data'), '-m', 'immediate', '-w', 'stop'])
  } finally {
    rmSync(server, { recursive: true, force: true })
  }
}

function program(name: string): string {
  return join(programs ?? '', name)
}

/** The server refuses to run as root. */
function asServer(command: string, args: readonly string[], isRoot = false): void {
  const isOther = !isRoot && process.getuid?.() === 0
  const [file, all] = isOther
    ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', command, ...args]]
    : [command, args]
  execFileSync(file, all, { cwd: tmpdir(), stdio: ['ignore', 'ignore', 'pipe'] })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
