const LEVELS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** Draws a bar, exact to an eighth of a character. Any share but 0 is visible. */
export function bar(share: number, width: number): string {
  const eighths = share <= 0 ? 0 : Math.max(1, Math.round(Math.min(1, share) * width * 8))
  return `${'█'.repeat(Math.floor(eighths / 8))}${EIGHTHS[eighths % 8] ?? ''}`
}

/**
 * Draws values as columns of one line. The greatest fills the line's height, and 0 is a space. If
 * there are more values than columns, a column is the sum of neighbouring values.
 */
export function sparkline(values: readonly number[], width: number): string {
  const perColumn = Math.max(1, Math.ceil(values.length / Math.max(1, width)))
  const sums: number[] = []
  for (let at = 0; at < values.length; at += perColumn) {
    sums.push(values.slice(at, at + perColumn).reduce((sum, value) => sum + value, 0))
  }
  const greatest = Math.max(...sums, 0)
  return sums
    .map((sum) => (sum <= 0 ? ' ' : (LEVELS[Math.ceil((sum / greatest) * LEVELS.length) - 1] ?? ' ')))
    .join('')
}
