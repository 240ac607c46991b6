/** A column in which two rows differ. */
export interface ColumnDifference {
  column: string
  expected: unknown
  found: unknown
}

/**
 * The columns of `expected` in which `found` differs, in their order. Columns that only `found` has are not looked at,
 * so that a caller compares what it knows. Cells are what SQLite gives: text, numbers, null, blobs.
 */
export function differingColumns(
  expected: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
): ColumnDifference[] {
  const differences: ColumnDifference[] = []
  for (const [column, value] of Object.entries(expected)) {
    const other = found[column]
    if (!isSameCell(value, other)) differences.push({ column, expected: value, found: other })
  }
  return differences
}

function isSameCell(a: unknown, b: unknown): boolean {
  if (a === b) return true
  return Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.equals(b)
}
