interface Counted {
  count: number
  isWorthTelling: () => boolean
}

/** Counts oddities of rows that are imported all the same. */
export class ImportNotes {
  readonly #counts = new Map<string, Counted>()
  #ofRow: [string, () => boolean][] = []

  /**
   * Notes something of the row that is being read.
   *
   * @param isWorthTelling called after all rows were read.
   */
  add(note: string, isWorthTelling: () => boolean = () => true): void {
    this.#ofRow.push([note, isWorthTelling])
  }

  /** To be called before each row. */
  beginRow(): void {
    this.#ofRow = []
  }

  /** Counts the notes of the row, since its request is imported. */
  keepRow(): void {
    for (const [note, isWorthTelling] of this.#ofRow) {
      this.#counts.set(note, { count: (this.#counts.get(note)?.count ?? 0) + 1, isWorthTelling })
    }
    this.#ofRow = []
  }

  list(): { note: string; count: number }[] {
    return [...this.#counts]
      .filter(([, { isWorthTelling }]) => isWorthTelling())
      .map(([note, { count }]) => ({ note, count }))
  }
}
