import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The built program, as its users run it. */
export const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** Makes events of the real trace; beside the repository, and not everywhere. */
export const TRACE = fileURLToPath(
  new URL('../../../shared/tools/azure-trace-to-events.mjs', import.meta.url),
)
export const hasTrace = existsSync(TRACE)
if (!hasTrace) console.warn('Tests on the real trace are skipped: ../shared/tools is missing')

/** The events of the real trace, one a line, which are made once for a whole run of the tests. */
export function traceText(): string {
  if (!hasTrace) return ''
  const folder = process.env['REQUEST_JOURNAL_TEST_RUN']
  const make = () => execFileSync(process.execPath, [TRACE], { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (folder === undefined) return make()
  const path = join(folder, 'trace.ndjson')
  if (!existsSync(path)) {
    // Under its name once it is whole: several processes may make it at once.
    writeFileSync(`${path}.${process.pid}`, make())
    renameSync(`${path}.${process.pid}`, path)
  }
  return readFileSync(path, 'utf8')
}

export interface Outcome {
  status: number | null
  stdout: string
  stderr: string
  /** The last line of stdout, parsed; undefined where it isn't JSON. */
  json: Record<string, unknown>
}

/** Runs a command to its end. */
export function run(args: string[], options: { input?: string | Buffer; cwd?: string } = {}): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  })
  return { status, stdout, stderr, json: parseLast(stdout) }
}

/** Starts a command that goes on. Its stderr is passed on when it fails a test, never swallowed. */
export function start(args: string[], environment: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  })
}

/**
 * The environment of a program whose time-outs of `before` milliseconds take `after` milliseconds.
 */
export function changedTimeout(before: number, after: number): Record<string, string> {
  return { NODE_OPTIONS: `--import=${CHANGED_TIMEOUT}`, CHANGED_TIMEOUT: `${before}:${after}` }
}

const CHANGED_TIMEOUT = new URL('changed-timeout.mjs', import.meta.url).href

/** The daemon, once it is at work. */
export async function startDaemon(journal: string, database: string): Promise<ChildProcess> {
  const daemon = start(['project', '--journal', journal, '--db', database])
  const { stderr } = daemon
  if (stderr === null) throw new Error('stderr is piped')
  await new Promise<void>((resolve, reject) => {
    let log = ''
    stderr.on('data', (chunk) => {
      log += chunk
      if (/Projecting|Waiting for a journal/.test(log)) resolve()
    })
    daemon.once('exit', (status) => reject(new Error(`the daemon ended with ${status}: ${log}`)))
  })
  return daemon
}

/** Ends a process and waits until it is gone. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exit = once(child, 'exit')
  child.kill(signal)
  const [status] = (await exit) as [number | null]
  return status
}

/** The last line, parsed; undefined fields where it isn’t JSON. */
export function parseLast(stdout: string): Record<string, unknown> {
  try {
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
  } catch {
    return {}
  }
}
