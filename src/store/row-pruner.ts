/** How many rows went, or would go. */
export interface PrunedRows {
  /** Rows of `requests`. */
  rows: number
  rejected: number
  held: number
}

/** The segments whose rows go. */
export interface RowExtent {
  /** All up to this one, by id; 0: none. */
  through: number
  /** Imported segments after it that go by themselves. */
  imports: readonly number[]
}

/** A condition of SQL: whether the rows of a segment go. */
export function isPrunedSql({ through, imports }: RowExtent, column = 'segment_id'): string {
  const past = `${column} <= ${through}`
  return imports.length === 0 ? past : `(${past} OR ${column} IN (${imports.join(', ')}))`
}

/**
 * Removes the rows of all segments up to a given one, in small transactions. What is left is what a
 * replay of the remaining journal gives: roll-ups and token ratios lose the samples of those rows,
 * new ids follow theirs, and what connects requests and completions across the border is kept. A
 * run that was killed is finished by the next one.
 */
export interface RowPruner {
  /** Marks the segments: from this commit on they are neither projected nor replayed. */
  begin(): Promise<void>
  /** @returns whether there was anything left to remove. */
  removeBatch(): Promise<boolean>
  /** Removes the positions, and what no longer connects anything. @returns what went in all. */
  finish(): Promise<PrunedRows>
}
