import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { requirePackageFile } from '../../package/package-files.js'
import { CommandFailure } from '../run/failure.js'

/** No transaction of the demo takes this long. */
const STOP_MS = 3000

/** The second process of the demo: `request-journal project`. */
export class DemoProjector {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  #isStopping = false
  #failure: CommandFailure | null = null

  constructor(journal: string, databasePath: string) {
    const main = requirePackageFile('dist/cli/main.js')
    const args = [main, 'project', '--journal', journal, '--db', databasePath, '--log-level', 'warn']
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    this.#child.on('error', (error) => {
      this.#failure = new CommandFailure(`The projector could not be started: ${error.message}`)
    })
    this.#exited = once(this.#child, 'exit').catch(() => {})
    this.#child.on('exit', (code, signal) => {
      if (!this.#isStopping)
        this.#failure = new CommandFailure(`The projector ended early (${signal ?? code})`)
    })
    // However this process ends, the projector ends too.
    process.on('exit', () => this.#child.kill('SIGKILL'))
  }

  /** @throws CommandFailure when the projector has ended by itself. */
  assertRunning(): void {
    if (this.#failure !== null) throw this.#failure
  }

  /** Stops it and waits for its end. */
  async stop(): Promise<void> {
    this.#isStopping = true
    if (this.#failure !== null) return
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    await this.#exited
    clearTimeout(timer)
  }
}
