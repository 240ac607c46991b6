import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { type ProjectorOptions, startProjector } from '../../src/projection/index.js'
import { PROGRAM } from '../support/program.js'

/** What runs until it is ended. Remembers everything it said. */
export abstract class Running {
  stdout = ''
  stderr = ''
  #isGone = false
  #wake: (() => void)[] = []

  /** Resolves with the exit code, null when a signal ended it. */
  abstract readonly exited: Promise<number | null>

  abstract end(signal?: NodeJS.Signals): Promise<number | null>

  get isGone(): boolean {
    return this.#isGone
  }

  /** Whole lines of stdout: one that was cut by a kill was never said. */
  get lines(): string[] {
    return this.stdout.split('\n').slice(0, -1)
  }

  /** Resolves when it has said something that matches. */
  async said(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stderr'): Promise<void> {
    await this.until(() => pattern.test(this[stream]), `it says ${pattern}`)
  }

  /** Resolves when the condition holds, looked at whenever it says something; rejects when it ends before. */
  async until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) {
      if (this.#isGone) throw new Error(`it ended before ${what}: ${this.stderr.slice(-2000)}`)
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  protected add(stream: 'stdout' | 'stderr', text: Buffer | string): void {
    this[stream] += text
    this.#wakeAll()
  }

  protected ended(): void {
    this.#isGone = true
    this.#wakeAll()
  }

  #wakeAll(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }
}

/** A process: the built program, or a script of `processes/`. */
export class Program extends Running {
  readonly process: ChildProcess
  readonly exited: Promise<number | null>

  /** @param wrapper a program that becomes Node: `setpriv` or a shell, with its arguments. */
  constructor(
    file: string,
    args: string[],
    environment: Record<string, string> = {},
    wrapper: readonly string[] = [],
  ) {
    super()
    const env = { ...process.env, ...environment }
    const [executable = process.execPath, ...rest] = [...wrapper, process.execPath, file, ...args]
    this.process = spawn(executable, rest, { stdio: ['pipe', 'pipe', 'pipe'], env })
    this.process.stdout?.on('data', (chunk) => this.add('stdout', chunk))
    this.process.stderr?.on('data', (chunk) => this.add('stderr', chunk))
    // It may be killed while it is written to.
    this.process.stdin?.on('error', () => {})
    this.exited = new Promise((resolve, reject) => {
      this.process.once('error', reject)
      this.process.once('close', (status) => {
        this.ended()
        resolve(status)
      })
    })
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.isGone) this.process.kill(signal)
    return this.exited
  }
}

/** A projector in this process, for what doesn't depend on its being killed: it starts in a tenth of the time. */
export class ProjectorHere extends Running {
  readonly exited: Promise<number | null>
  readonly #isOver = new AbortController()

  constructor(options: ProjectorOptions) {
    super()
    this.exited = this.#follow(options)
  }

  async end(): Promise<number | null> {
    this.#isOver.abort()
    return this.exited
  }

  async #follow(options: ProjectorOptions): Promise<number> {
    const say = (fields: unknown, text = '') => this.add('stderr', `${text} ${inspect(fields)}\n`)
    try {
      const logger = { info: say, warn: say, error: say, debug: () => {} }
      const projector = await startProjector({ ...options, logger })
      this.#isOver.signal.addEventListener('abort', () => void projector.stop())
      if (this.#isOver.signal.aborted) void projector.stop()
      await projector.finished
      return 0
    } catch (error) {
      say(error)
      return 1
    } finally {
      this.ended()
    }
  }
}

/** A command of the built program. */
export function command(args: string[], environment: Record<string, string> = {}): Program {
  return new Program(PROGRAM, args, environment)
}

/** The daemon, once it is at work. */
export async function startDaemon(
  { journal, database, keep }: { journal: string; database: string; keep<T extends Program>(p: T): T },
  environment: Record<string, string> = {},
): Promise<Program> {
  const daemon = keep(command(['project', '--journal', journal, '--db', database], environment))
  await daemon.said(/Projecting|Waiting for a journal/)
  return daemon
}

/** A script of this folder's `processes/`. */
export function script(name: string, args: string[], environment: Record<string, string> = {}): Program {
  return new Program(fileURLToPath(new URL(`processes/${name}`, import.meta.url)), args, environment)
}
