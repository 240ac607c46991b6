import { countText } from '../../maintenance/count-text.js'
import { formatCount } from '../output/format.js'

/** How many entries of a kind are shown; `--json` has them all. */
const MAX_SHOWN = 20

/** Formats entries of an import under a title; nothing if there are none. */
export function entryLines(title: string, entries: readonly string[]): string[] {
  if (entries.length === 0) return []
  const shown = entries.slice(0, MAX_SHOWN).map((entry) => `  ${entry}`)
  const hidden = entries.length - MAX_SHOWN
  const more = hidden > 0 ? [`  … and ${formatCount(hidden)} more (--json has all)`] : []
  return [`${title}:`, ...shown, ...more, '']
}

/** Says how many events were appended, or would be with `--yes`. */
export function appendedText(
  count: number,
  noun: string,
  { yes, journal }: { yes?: true; journal: string },
): string {
  if (count === 0) return 'Nothing to append'
  return yes
    ? `${countText(count, noun)} appended to ${journal}`
    : `Nothing was written: --yes appends ${countText(count, noun)}`
}
