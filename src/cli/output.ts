import { describeFailure } from './failure.js'
import { terminalJson } from './terminal.js'

const WIDTH_WITHOUT_TERMINAL = 100

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

/** Columns of the page that stdout shows. */
export function pageWidth(): number {
  return process.stdout.columns ?? WIDTH_WITHOUT_TERMINAL
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
