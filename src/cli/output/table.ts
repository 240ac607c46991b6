import { cutToWidth, displayWidth, padEnd, visible } from './terminal.js'

export interface Column<Row> {
  title: string
  /** @default 'left' */
  align?: 'left' | 'right'
  /** On a narrow page it may be cut to this many characters. */
  shrinksTo?: number | undefined
  /**
   * On a page that is too narrow, columns are left out, the highest number first.
   * @default it stays
   */
  dropRank?: number | undefined
  /** Whether the column is left out if no row has a text for it. @default false */
  isRare?: boolean
  cell(row: Row): string | null
}

const GAP = '  '

/**
 * Formats rows under the titles of their columns. Columns that may be left out or cut make room for
 * the others. Those that must stay run over the page rather than be lost. Cells are made safe for a
 * terminal here.
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  pageWidth: number,
): string {
  const shown = columns.flatMap(({ title, align, shrinksTo, dropRank = -1, isRare = false, cell }) => {
    const texts = rows.map(cell)
    if (isRare && texts.every((text) => text === null)) return []
    const cells = [title, ...texts.map((text) => text ?? '')].map(visible)
    // Not Math.max(...): a call takes at most about 120,000 arguments, and there may be more rows.
    const width = cells.reduce((most, cell) => Math.max(most, displayWidth(cell)), 0)
    return { align, cells, width, least: Math.min(width, shrinksTo ?? width), dropRank }
  })
  while (rowWidth(shown.map(({ least }) => least)) > pageWidth) {
    const highest = Math.max(...shown.map(({ dropRank }) => dropRank))
    if (highest === -1) break
    shown.splice(
      shown.findIndex(({ dropRank }) => dropRank === highest),
      1,
    )
  }
  // The widest column that may shrink does, until the row fits or no column may.
  for (let excess = rowWidth(shown.map(({ width }) => width)) - pageWidth; excess > 0; excess--) {
    const shrinkable = shown.filter(({ width, least }) => width > least)
    const [widest] = shrinkable.toSorted((a, b) => b.width - a.width)
    if (widest === undefined) break
    widest.width--
  }
  const lines = ['', ...rows].map((_, line) =>
    shown.map(({ cells, width, align }) => pad(cells[line] ?? '', width, align)).join(GAP),
  )
  return lines.map((line) => line.trimEnd()).join('\n')
}

function rowWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1)
}

function pad(cell: string, width: number, align: 'left' | 'right' = 'left'): string {
  const text = cutToWidth(cell, width)
  return align === 'left' ? padEnd(text, width) : ' '.repeat(width - displayWidth(text)) + text
}
