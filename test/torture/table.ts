import type { Tally } from './fault.js'

export interface TableRow extends Tally {
  title: string
  /** Why it was not tried; null when it was. */
  skipped: string | null
}

const HEAD = ['fault', 'tried', 'survived', 'lost', 'doubled', 'wrong']

/** As text for a terminal, or as Markdown for docs/faults.md. */
export function table(rows: readonly TableRow[], isMarkdown: boolean): string {
  const cells = rows.map((row) => [
    row.title,
    ...(row.skipped === null
      ? [row.tried, row.survived, row.lost, row.doubled, row.wrong].map(format)
      : [`not tried: ${row.skipped}`, '', '', '', '']),
  ])
  if (isMarkdown) return markdown(cells)
  const width = (column: number) => Math.max(...[HEAD, ...cells].map((row) => row[column]?.length ?? 0))
  const widths = HEAD.map((_, column) => (column === 0 ? width(0) : Math.max(HEAD[column]?.length ?? 0, 9)))
  return [HEAD, ...cells]
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))),
    )
    .map((row) => row.join('  ').trimEnd())
    .join('\n')
}

function markdown(cells: string[][]): string {
  const line = (row: string[]) => `| ${row.join(' | ')} |`
  return [line(HEAD), '|---|--:|--:|--:|--:|--:|', ...cells.map(line)].join('\n')
}

function format(count: number): string {
  return count.toLocaleString('en-US')
}
