const LEVELS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** A bar of a share of its width, an eighth of a character exact; nothing is nothing, and a little is seen. */
export function bar(share: number, width: number): string {
  const eighths = share <= 0 ? 0 : Math.max(1, Math.round(Math.min(1, share) * width * 8))
  return `${'█'.repeat(Math.floor(eighths / 8))}${EIGHTHS[eighths % 8] ?? ''}`
}

/**
 * Values as columns of one line, the greatest full; where there are more than the width, the sums of neighbours. 0 is a
 * space.
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
