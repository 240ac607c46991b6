// The port by which the rows of pruned segments are removed. Both stores implement it.

/** How many rows were removed, or would be. */
export interface PrunedRows {
  /** Rows of `requests`. */
  rows: number
  rejected: number
  held: number
}

/** The segments whose rows are removed. */
export interface RowExtent {
  /**
   * The id of the last of the segments that are pruned in order, from the oldest on; 0 if there are
   * none.
   */
  through: number
  /** The ids of imported segments after it whose rows are removed too. */
  imports: readonly number[]
}

/** The SQL of a condition: whether the rows of a segment are removed. */
export function isPrunedSql({ through, imports }: RowExtent, column = 'segment_id'): string {
  const past = `${column} <= ${through}`
  return imports.length === 0 ? past : `(${past} OR ${column} IN (${imports.join(', ')}))`
}

/**
 * Removes the rows of the segments that are pruned, in small transactions. What is left is what a
 * replay of the remaining journal gives: roll-ups and token ratios lose the samples of the removed
 * rows, ids go on after those of the removed rows, and what connects requests and completions
 * across the boundary is kept. A run that was killed is finished by the next one.
 */
export interface RowPruner {
  /** Marks the segments as pruned: from this commit on they are neither projected nor replayed. */
  begin(): Promise<void>
  /** @returns whether there was anything left to remove. */
  removeBatch(): Promise<boolean>
  /**
   * Removes the positions, and what no longer connects anything.
   * @returns what was removed in all.
   */
  finish(): Promise<PrunedRows>
}
