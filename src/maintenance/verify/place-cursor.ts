/** A row that has a place in the journal, or is about one. */
export interface Placed {
  segment_id: number
  byte_offset: number
}

/** Rows in the order of their places, given out as a pass over the journal comes to them. */
export class PlaceCursor<Row extends Placed> {
  readonly #rows: Iterator<Row>
  #next: Row | undefined

  /** @param rows ordered by segment_id, byte_offset. */
  constructor(rows: Iterator<Row>) {
    this.#rows = rows
    this.#advance()
  }

  /** The first that has not been taken. */
  get next(): Row | undefined {
    return this.#next
  }

  /** Takes every row whose place is before this one. */
  takeBefore(segmentId: number, byteOffset: number, onRow: (row: Row) => void): void {
    for (let row = this.#next; row !== undefined; row = this.#next) {
      if (row.segment_id > segmentId) return
      if (row.segment_id === segmentId && row.byte_offset >= byteOffset) return
      this.#advance()
      onRow(row)
    }
  }

  /** An open statement would keep the connection from being closed. */
  close(): void {
    this.#rows.return?.()
    this.#next = undefined
  }

  #advance(): void {
    const { value, done } = this.#rows.next()
    this.#next = done === true ? undefined : value
  }
}
