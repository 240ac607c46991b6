import { displayWidth } from './terminal.js'

/** What is needed of a terminal. */
export interface LiveTerminal {
  columns: number
  rows: number
  write(text: string): void
}

interface Line {
  /** Null: it never changes. */
  key: number | null
  text: string
  width: number
}

/**
 * Lines at the end of a terminal that change in their place while they are on its screen. A line
 * that has left the screen stays as it is, and its change is written as a new line.
 */
export class LiveLines {
  readonly #terminal: LiveTerminal
  /** The lines on the screen, to the cursor below them. */
  #lines: Line[] = []
  /** How many rows each of the lines on the screen takes. */
  #written: number[] = []
  /** The first line that isn't on the screen as it is here. */
  #firstChanged = 0

  constructor(terminal: LiveTerminal) {
    this.#terminal = terminal
  }

  /**
   * Adds a line, or changes the one with this key. Nothing is written before `flush`.
   *
   * @param plain the text without escape sequences, from which its width is computed.
   */
  put(key: number | null, text: string, plain = text): void {
    const at = key === null ? -1 : this.#lines.findLastIndex((line) => line.key === key)
    const line = { key, text, width: displayWidth(plain) }
    if (at === -1) this.#lines.push(line)
    else {
      this.#lines[at] = line
      this.#firstChanged = Math.min(this.#firstChanged, at)
    }
  }

  /** Whether a line with this key is on the screen. */
  has(key: number): boolean {
    return this.#lines.some((line) => line.key === key)
  }

  /**
   * Writes what has changed, with all lines after it: whatever else has moved the cursor, such as
   * Enter, no line is written over another's place.
   */
  flush(): void {
    const changed = this.#lines.slice(this.#firstChanged)
    if (changed.length === 0) return
    const above = this.#rowsOnScreen
    const up = above === 0 ? '' : `\x1b[${above}A\r\x1b[J`
    this.#terminal.write(up + changed.map(({ text }) => `${text}\n`).join(''))
    this.#forgetAbove()
    this.#written = this.#lines.map((line) => this.#rowsOf(line))
    this.#firstChanged = this.#lines.length
  }

  /** Leaves all lines as they are: the terminal has moved them, or something else was written. */
  release(): void {
    this.#lines = this.#lines.slice(this.#written.length)
    this.#written = []
    this.#firstChanged = 0
  }

  /** The rows from the first changed line to the cursor. */
  get #rowsOnScreen(): number {
    return this.#written.slice(this.#firstChanged).reduce((sum, rows) => sum + rows, 0)
  }

  /** Forgets the lines that the cursor can't reach any more. */
  #forgetAbove(): void {
    let rows = 0
    // The cursor has a row of its own.
    const reachable = this.#lines.findLastIndex((line) => {
      rows += this.#rowsOf(line)
      return rows > this.#terminal.rows - 1
    })
    this.#lines = this.#lines.slice(reachable + 1)
  }

  #rowsOf({ width }: Line): number {
    return Math.max(1, Math.ceil(width / Math.max(1, this.#terminal.columns)))
  }
}
