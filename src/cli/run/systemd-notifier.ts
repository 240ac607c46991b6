import { spawn } from 'node:child_process'
import type { Logger } from 'pino'

/** How often a notice is sent in each period of the watchdog, so that one may be late. */
const NOTICES_PER_PERIOD = 3

/**
 * Notifies systemd when the service is ready, and then regularly that it is alive. Node.js has no
 * Unix datagram sockets, so systemd's own `systemd-notify` sends each notice, which needs
 * `NotifyAccess=all` in the unit. Outside a unit of `Type=notify` nothing is sent.
 */
export class SystemdNotifier {
  readonly #logger: Logger
  readonly #hasSocket: boolean
  /** The time between two notices of being alive. Null: no watchdog waits for them. */
  readonly aliveEveryMs: number | null
  #lastAliveAt = Number.NEGATIVE_INFINITY
  #isSending = false
  #hasFailed = false

  constructor(logger: Logger, environment: NodeJS.ProcessEnv = process.env) {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment
    this.#logger = logger
    this.#hasSocket = NOTIFY_SOCKET !== undefined && NOTIFY_SOCKET !== ''
    const periodMs = Number(WATCHDOG_USEC) / 1000
    // The variables may be meant for the process that started this one.
    const isMeant = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid
    this.aliveEveryMs = this.#hasSocket && isMeant && periodMs > 0 ? periodMs / NOTICES_PER_PERIOD : null
  }

  /** Call it once the service is ready. */
  ready(): void {
    this.#send('READY=1')
  }

  /** Call it often while the service is alive: it sends a notice only when one is due. */
  alive(): void {
    const now = performance.now()
    if (this.aliveEveryMs === null || this.#isSending || now - this.#lastAliveAt < this.aliveEveryMs) return
    this.#lastAliveAt = now
    this.#send('WATCHDOG=1')
  }

  #send(message: string): void {
    if (!this.#hasSocket) return
    this.#isSending = true
    const child = spawn('systemd-notify', [message], { stdio: 'ignore' })
    child.unref()
    child.on('error', (error) => this.#onSent(message, error))
    child.on('exit', (code) =>
      this.#onSent(message, code === 0 ? null : `systemd-notify exited with ${code}`),
    )
  }

  #onSent(message: string, failure: unknown): void {
    this.#isSending = false
    if (failure === null || this.#hasFailed) return
    this.#hasFailed = true
    const fields = { err: failure, message }
    this.#logger.error(fields, "Can't notify systemd: the unit needs systemd-notify and NotifyAccess=all")
  }
}
