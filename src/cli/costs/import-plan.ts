import type { EventInput } from '../../events/event-types.js'
import { countText } from '../../maintenance/count-text.js'
import { formatCount } from '../output/format.js'
import { note } from '../output/standard-error.js'
import { printAnswer } from '../output/standard-output.js'
import { visible } from '../output/terminal.js'
import type { CommonFlags } from '../run/command.js'

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

interface PlanFlags extends CommonFlags {
  yes?: true
}

/** Appends the events of a plan with `--yes`, and prints what it changes, or would. */
export async function finishPlan(
  plan: { has_database: boolean },
  events: readonly EventInput[],
  noun: 'price' | 'rate',
  flags: PlanFlags,
  describe: () => string[],
): Promise<void> {
  const { yes, journal, database } = flags
  if (!plan.has_database) note(`${visible(database)} doesn't exist: every ${noun} counts as new`)
  if (yes && events.length > 0) {
    const { appendEvents } = await import('./append-events.js')
    await appendEvents(flags, events)
  }
  printAnswer({ ...plan, appended: yes ? events.length : 0 }, flags, () => {
    const count = countText(events.length, noun)
    const done = yes ? `${count} appended to ${journal}` : `Nothing was written: --yes appends ${count}`
    return [...describe(), events.length === 0 ? 'Nothing to append' : done].map(visible).join('\n')
  })
}
