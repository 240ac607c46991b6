import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PROGRAM } from '../support/program.js'

/** A running process: the built program, or a script of `processes/`. Remembers everything it said. */
export class Program {
  readonly process: ChildProcess
  /** Resolves with the exit code, null when a signal ended it. */
  readonly exited: Promise<number | null>
  stdout = ''
  stderr = ''
  #isGone = false
  #wake: (() => void)[] = []

  /** @param wrapper a program that becomes Node: `setpriv` or a shell, with its arguments. */
  constructor(
    file: string,
    args: string[],
    environment: Record<string, string> = {},
    wrapper: readonly string[] = [],
  ) {
    const env = { ...process.env, ...environment }
    const [executable = process.execPath, ...rest] = [...wrapper, process.execPath, file, ...args]
    this.process = spawn(executable, rest, { stdio: ['pipe', 'pipe', 'pipe'], env })
    this.process.stdout?.on('data', (chunk) => this.#add('stdout', chunk))
    this.process.stderr?.on('data', (chunk) => this.#add('stderr', chunk))
    // It may be killed while it is written to.
    this.process.stdin?.on('error', () => {})
    this.exited = new Promise((resolve, reject) => {
      this.process.once('error', reject)
      this.process.once('close', (status) => {
        this.#isGone = true
        for (const wake of this.#wake) wake()
        resolve(status)
      })
    })
  }

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
      if (this.#isGone) throw new Error(`a process ended before ${what}: ${this.stderr.slice(-2000)}`)
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.#isGone) this.process.kill(signal)
    return this.exited
  }

  #add(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this[stream] += chunk
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
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
