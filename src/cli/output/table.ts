import { cutToWidth, displayWidth, padEnd, visible } from './terminal.js'

export interface Column {
  title: string
  /** @default 'left' */
  align?: 'left' | 'right'
  /** On a narrow page it may be cut to this many characters. */
  shrinksTo?: number
  /**
   * On a page that is too narrow, columns are left out, the highest number first.
   * @default it stays
   */
  dropRank?: number
}

const GAP = '  '

/**
 * Formats rows under their titles. Columns that may be left out or cut make room for the others.
 * Those that must stay run over the page rather than be lost. Cells are made safe for a terminal
 * here.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  pageWidth: number,
): string {
  const cells = [columns.map((column) => column.title), ...rows].map((row) => row.map(visible))
  const dropped = columnToDrop(columns, cells, pageWidth)
  if (dropped !== -1) {
    return formatTable(
      columns.toSpliced(dropped, 1),
      rows.map((row) => row.toSpliced(dropped, 1)),
      pageWidth,
    )
  }
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => displayWidth(row[i] ?? ''))))
  shrink(widths, columns, pageWidth)
  const lines = cells.map((row) => {
    const line = columns.map((column, i) => pad(row[i] ?? '', widths[i] ?? 0, column.align ?? 'left'))
    return line.join(GAP).trimEnd()
  })
  return lines.join('\n')
}

/** The next column to leave out, if all together don't fit however far they shrink; -1: none. */
function columnToDrop(columns: readonly Column[], cells: readonly string[][], pageWidth: number): number {
  const least = columns.map(({ shrinksTo = Number.POSITIVE_INFINITY }, i) =>
    Math.min(shrinksTo, Math.max(...cells.map((row) => displayWidth(row[i] ?? '')))),
  )
  const width = least.reduce((sum, column) => sum + column, 0) + GAP.length * (columns.length - 1)
  if (width <= pageWidth) return -1
  const ranks = columns.map(({ dropRank = -1 }) => dropRank)
  const highest = Math.max(...ranks)
  return highest === -1 ? -1 : ranks.indexOf(highest)
}

/** Shrinks the widest column that may shrink, until the row fits or no column may. */
function shrink(widths: number[], columns: readonly Column[], pageWidth: number): void {
  let excess = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (columns.length - 1) - pageWidth
  while (excess > 0) {
    let widest = -1
    for (const [i, column] of columns.entries()) {
      const width = widths[i] ?? 0
      if (column.shrinksTo === undefined || width <= column.shrinksTo) continue
      if (widest === -1 || width > (widths[widest] ?? 0)) widest = i
    }
    if (widest === -1) return
    widths[widest] = (widths[widest] ?? 0) - 1
    excess--
  }
}

function pad(cell: string, width: number, align: 'left' | 'right'): string {
  const text = cutToWidth(cell, width)
  return align === 'left' ? padEnd(text, width) : ' '.repeat(width - displayWidth(text)) + text
}
