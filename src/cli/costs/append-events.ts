import type { EventInput } from '../../events/event-types.js'
import { openJournal } from '../../journal/append/journal.js'
import { countText } from '../../maintenance/count-text.js'
import { note } from '../output/standard-error.js'
import { warningsForPeople } from '../run/append-stdin.js'
import { effectText, type JournalFlags } from '../run/effect-note.js'
import { CommandFailure } from '../run/failure.js'

/**
 * Appends prices or exchange rates that have been checked, syncs them, and says on stderr when they
 * take effect.
 *
 * @throws CommandFailure if the disk refuses one after others were appended.
 */
export async function appendEvents(flags: JournalFlags, events: readonly EventInput[]): Promise<void> {
  const journal = openJournal({ directory: flags.journal, logger: warningsForPeople })
  let appended = 0
  try {
    for (const event of events) {
      journal.append(event)
      appended++
    }
  } catch (error) {
    if (appended === 0 || !(error instanceof Error)) throw error
    const before = `${appended} of ${countText(events.length, 'event')} were appended before: `
    throw new CommandFailure(`${error.message}; ${before}the same command appends the rest`)
  } finally {
    await journal.close()
  }
  note(await effectText(flags))
}
