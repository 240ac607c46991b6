import { describeFailure } from './failure.js'
import { terminalJson } from './terminal.js'

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
  process.stderr.write(`${text}\n`)
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
 * `request-journal requests | head -1` has got what it wanted. A broken pipe on stderr is ignored: a daemon goes on
 * without the reader of its log. Anything else that refuses data, such as a full disk, is a failure.
 */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    note(describeFailure(error))
    process.exit(1)
  })
  // Nowhere is left to say it.
  process.stderr.on('error', () => {})
}
