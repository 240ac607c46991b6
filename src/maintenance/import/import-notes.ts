/** An oddity of requests that are imported all the same. */
export interface ImportNote {
  note: string
  /** How many requests have it. */
  count: number
  /** The line of the first of them. */
  first_line: number
  /** The first values that it is about, such as the ids of teams; none if it is about no values. */
  values: string[]
  /** Whether there are more values. */
  has_more_values: boolean
}

/** What a note may have besides its text. */
interface Details {
  /** The value that it is about. */
  value?: string
  /** Called after all rows were read. */
  isWorthTelling?: () => boolean
}

/** How many values a note keeps. */
const KEPT_VALUES = 5

/** Counts oddities of rows that are imported all the same. */
export class ImportNotes {
  readonly #kept = new Map<string, ImportNote & { isWorthTelling: () => boolean }>()
  #line = 0
  #ofRow: [string, Details][] = []

  /** Notes something of the row that is being read. */
  add(note: string, details: Details = {}): void {
    this.#ofRow.push([note, details])
  }

  /** To be called before each row, with the line on which it begins. */
  beginRow(line: number): void {
    this.#line = line
    this.#ofRow = []
  }

  /** Counts the notes of the row, since its request is imported. */
  keepRow(): void {
    for (const [note, { value, isWorthTelling = () => true }] of this.#ofRow) {
      let kept = this.#kept.get(note)
      if (kept === undefined) {
        kept = { note, count: 0, first_line: this.#line, values: [], has_more_values: false, isWorthTelling }
        this.#kept.set(note, kept)
      }
      kept.count++
      if (value === undefined || kept.values.includes(value)) continue
      if (kept.values.length < KEPT_VALUES) kept.values.push(value)
      else kept.has_more_values = true
    }
    this.#ofRow = []
  }

  list(): ImportNote[] {
    return [...this.#kept.values()]
      .filter(({ isWorthTelling }) => isWorthTelling())
      .map(({ isWorthTelling: _, ...note }) => note)
  }
}
