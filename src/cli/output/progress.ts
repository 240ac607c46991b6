import { formatBytes, formatCount, formatSeconds } from './format.js'
import { standardError } from './standard-error.js'
import { cutToWidth } from './terminal.js'

const REDRAW_MS = 100
const PLAIN_LINE_MS = 3000
const GREATEST_BAR = 40

/** How far a long task has come. */
export interface Progress {
  bytes: number
  total_bytes: number
  events: number
}

/** A line on stderr that is redrawn on a terminal, or a new line now and then elsewhere. */
export class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY === true
  readonly #everyMs: number
  readonly #startedAt = performance.now()
  #shownAt: number
  #isDrawn = false

  /** @param plainLineMs the time between two lines if stderr isn't a terminal. */
  constructor(plainLineMs = PLAIN_LINE_MS) {
    this.#everyMs = this.#isTerminal ? REDRAW_MS : plainLineMs
    // A terminal shows something at once. Elsewhere a short task needs no line.
    this.#shownAt = this.#isTerminal ? Number.NEGATIVE_INFINITY : this.#startedAt
  }

  /**
   * Shows the line if enough time has passed since it was shown last. @param isForced whether a
   * terminal shows it in any case.
   */
  show(text: (width: number) => string, isForced = false): void {
    const now = performance.now()
    if (now - this.#shownAt < this.#everyMs && !(isForced && this.#isTerminal)) return
    this.#shownAt = now
    // One column stays free, because a full line would wrap on some terminals.
    const width = (process.stderr.columns || 100) - 1
    const line = cutToWidth(text(width), width)
    standardError.write(this.#isTerminal ? `\r\x1b[2K${line}` : `${line}\n`)
    this.#isDrawn = this.#isTerminal
  }

  /**
   * Shows how far a task has come since this line was made.
   *
   * @param ending see {@link formatProgress}
   */
  showProgress(progress: Progress, ending?: string): void {
    const isRead = progress.bytes >= progress.total_bytes
    this.show((width) => formatProgress(progress, performance.now() - this.#startedAt, width, ending), isRead)
  }

  /** Takes the line off a terminal. */
  erase(): void {
    if (this.#isDrawn) standardError.write('\r\x1b[2K')
    this.#isDrawn = false
  }
}

/** Runs a task with a line of progress, which is erased however the task ends. */
export async function withProgressLine<T>(task: (line: ProgressLine) => Promise<T>): Promise<T> {
  const line = new ProgressLine()
  try {
    return await task(line)
  } finally {
    line.erase()
  }
}

/**
 * `45 % ██████░░░░░ 12.3 MiB of 27.1 MiB  182,000 events/s  3 s left`, with a bar that takes the
 * rest of the width.
 *
 * @param ending the text once everything is read.
 */
export function formatProgress(
  progress: Progress,
  elapsedMs: number,
  width: number,
  ending = '  building indexes',
): string {
  const { bytes, total_bytes, events } = progress
  const share = total_bytes === 0 ? 1 : Math.min(1, bytes / total_bytes)
  const percent = `${String(Math.floor(share * 100)).padStart(3)} %`
  const rate = elapsedMs === 0 ? 0 : events / (elapsedMs / 1000)
  const left = share === 0 ? '' : `  ${formatSeconds((elapsedMs / 1000 / share) * (1 - share))} left`
  const isRead = share === 1
  const text = `${formatBytes(bytes)} of ${formatBytes(total_bytes)}  ${formatCount(rate)} events/s${isRead ? ending : left}`
  const barWidth = Math.min(GREATEST_BAR, width - percent.length - text.length - 2)
  if (barWidth < 5) return `${percent} ${text}`
  const full = Math.round(share * barWidth)
  return `${percent} ${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${text}`
}
