import { describeFailure } from '../run/failure.js'
import { note } from './standard-error.js'
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

/** Prints an answer as the one line that `--json` promises, or else as text for people. */
export function printAnswer<Answer>(
  answer: Answer,
  { json }: { json?: true },
  describe: (answer: Answer) => string,
): void {
  print(json ? terminalJson(answer) : describe(answer))
}

/**
 * The width of the page that stdout shows, in columns: `COLUMNS`, or else that of the terminal. If
 * neither is known, as in a pipe or a file, or if the terminal reports 0, lines have any length and
 * nothing is cut.
 */
export function pageWidth(): number {
  const asked = process.env['COLUMNS'] ?? ''
  const columns = /^[1-9]\d{0,5}$/.test(asked) ? Number(asked) : (process.stdout.columns ?? 0)
  return columns > 0 ? columns : Number.POSITIVE_INFINITY
}

/**
 * Ends the process when stdout refuses data. A closed pipe is no failure: `request-journal requests
 * | head -1` has got what it wanted. Anything else, such as a full disk, is.
 */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isDaemon) return
    if (error.code === 'EPIPE') process.exit()
    note(describeFailure(error))
    process.exit(1)
  })
}

/** Lets a daemon continue when stdout refuses data: its work doesn't depend on it. */
export function continueWithoutStdout(): void {
  isDaemon = true
}

/** Ends the process once stdout has taken all data. It doesn't wait for stderr. */
export function endProcess(): void {
  // An error of stdout is reported after this callback, and ends the process itself.
  process.stdout.write('', () => setImmediate(() => process.exit()))
}
