/** Counts what is odd in rows that become requests all the same. */
export class ImportNotes {
  readonly #counts = new Map<string, number>()
  #ofRow: string[] = []

  /** Notes something of the row that is being read. */
  add(note: string): void {
    this.#ofRow.push(note)
  }

  /** To be called after each row: its notes count if it became a request. */
  endRow(isTaken: boolean): void {
    if (this.#ofRow.length === 0) return
    if (isTaken) for (const note of this.#ofRow) this.#counts.set(note, (this.#counts.get(note) ?? 0) + 1)
    this.#ofRow = []
  }

  clear(): void {
    this.#counts.clear()
  }

  list(): { note: string; count: number }[] {
    return [...this.#counts].map(([note, count]) => ({ note, count }))
  }
}
