import { describeFailure } from '../run/failure.js'
import { standardError } from './standard-error.js'
import { terminalJson } from './terminal.js'

let isDaemon = false

/** Writes lines of data. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Writes the one line that `--json` promises. */
export function printJson(value: unknown): void {
  print(terminalJson(value))
}

/** Writes a line for people that is no data. */
export function note(text: string): void {
  standardError.write(`${text}\n`)
}

/**
 * Columns of the page that stdout shows: `COLUMNS`, else those of the terminal. Without either, in a pipe or a file, and
 * on a terminal that says 0, there is no end of a line, and nothing is cut.
 */
export function pageWidth(): number {
  const asked = process.env['COLUMNS'] ?? ''
  const columns = /^[1-9]\d{0,5}$/.test(asked) ? Number(asked) : (process.stdout.columns ?? 0)
  return columns > 0 ? columns : Number.POSITIVE_INFINITY
}

/**
 * `request-journal requests | head -1` has got what it wanted. Anything else that refuses data, such as a full disk, is
 * a failure.
 */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isDaemon) return
    if (error.code === 'EPIPE') process.exit()
    note(describeFailure(error))
    process.exit(1)
  })
}

/** Says that stdout gets nothing that the work depends on: a daemon goes on where it refuses. */
export function goOnWithoutStdout(): void {
  isDaemon = true
}

/** Ends the process once stdout has taken all data, without waiting for what stderr hasn't taken. */
export function endProcess(): void {
  // An error of stdout is told after this, and has its own end.
  process.stdout.write('', () => setImmediate(() => process.exit()))
}
