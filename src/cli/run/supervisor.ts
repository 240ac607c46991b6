import { spawn } from 'node:child_process'
import type { Logger } from 'pino'

/** Signs of life go out this many times in each period of the watchdog, so that one may be late. */
const SIGNS_A_PERIOD = 3

/**
 * Tells systemd how the service is doing: that it is at work, and that it is alive. Node.js has no
 * datagram sockets of the file system, so systemd's own `systemd-notify` tells it; the unit needs
 * `NotifyAccess=all`. Elsewhere than in a unit of `Type=notify` nothing is told.
 */
export class Supervisor {
  readonly #logger: Logger
  readonly #isThere: boolean
  /** How far apart signs of life are, in milliseconds. Null: no watchdog waits for them. */
  readonly signEveryMs: number | null
  #lastSignAt = Number.NEGATIVE_INFINITY
  #isTelling = false
  #hasFailed = false

  constructor(logger: Logger, environment: NodeJS.ProcessEnv = process.env) {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment
    this.#logger = logger
    this.#isThere = NOTIFY_SOCKET !== undefined && NOTIFY_SOCKET !== ''
    const periodMs = Number(WATCHDOG_USEC) / 1000
    // The variables may be meant for the process that started this one.
    const isMeant = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid
    this.signEveryMs = this.#isThere && isMeant && periodMs > 0 ? periodMs / SIGNS_A_PERIOD : null
  }

  /** The service is at work. */
  ready(): void {
    this.#tell('READY=1')
  }

  /** The service is alive. Call it as often as you like: it tells only when a sign is due. */
  alive(): void {
    const now = performance.now()
    if (this.signEveryMs === null || this.#isTelling || now - this.#lastSignAt < this.signEveryMs) return
    this.#lastSignAt = now
    this.#tell('WATCHDOG=1')
  }

  #tell(message: string): void {
    if (!this.#isThere) return
    this.#isTelling = true
    const child = spawn('systemd-notify', [message], { stdio: 'ignore' })
    child.unref()
    child.on('error', (error) => this.#ended(message, error))
    child.on('exit', (code) => this.#ended(message, code === 0 ? null : `systemd-notify exited with ${code}`))
  }

  #ended(message: string, failure: unknown): void {
    this.#isTelling = false
    if (failure === null || this.#hasFailed) return
    this.#hasFailed = true
    const fields = { err: failure, message }
    this.#logger.error(fields, "systemd can't be told: the unit needs systemd-notify and NotifyAccess=all")
  }
}
