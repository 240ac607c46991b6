import { listSegments, plainSize } from '../../../journal/segments.js'
import { readWaitingNote, type Waiting } from '../../../projection/waiting-note.js'
import { countText, sizeText } from '../../count-text.js'
import type { JournalTables } from '../../journal-tables.js'
import { isProjected } from '../../other-journals.js'
import { type Finding, note, ok, problem } from '../check.js'

/** What a waiting projector has noted in the journal's directory; null if none is waiting. */
export function checkWaiting(address: string, journal: string, now: number): Finding | null {
  const waiting = readWaitingNote(journal, address)
  if (waiting === null) return null
  const minutes = Math.max(0, Math.round((now - Date.parse(waiting.since)) / 60_000))
  const behind = bytesAfter(journal, waiting.projected)
  const lag = behind === null ? '' : `, and ${sizeText(behind)} aren't projected`
  const found = `has waited for the server since ${waiting.since} (${countText(minutes, 'minute')})${lag}: ${waiting.reason}`
  const advice =
    "The journal keeps everything meanwhile, and the projector catches up by itself. If it doesn't run any more, start it"
  return problem(found, advice)
}

/** How many bytes of a journal come after a position; null if it isn't known. */
function bytesAfter(directory: string, projected: Waiting['projected']): number | null {
  if (projected === null) return null
  const sizes = listSegments(directory)
    .filter(({ name }) => name >= projected.segment)
    .map((segment) => plainSize(directory, segment) ?? 0)
  return Math.max(0, sizes.reduce((sum, size) => sum + size, 0) - projected.bytes)
}

export function checkSharedProjector(tables: JournalTables, schema: string): Finding {
  const find = tables.database.prepare<[number], { host: string | null; last_seen: string | null }>(
    'SELECT host, last_seen FROM journals WHERE number = ?',
  )
  const journal = tables.number === null ? undefined : find.get(tables.number)
  if (tables.number === null || journal === undefined) {
    return note("the database doesn't know this journal: nothing of it was projected", ADVICE)
  }
  const last = `the last commit was at ${journal.last_seen ?? 'no time that is known'}, from ${journal.host ?? 'an unknown host'}`
  const isRunning = isProjected(tables.database, schema, tables.number)
  if (isRunning === null) return ok(`a replica doesn't know whether it runs; ${last}`)
  return isRunning ? ok(`running; ${last}`) : note(`not running; ${last}`, ADVICE)
}

const ADVICE = 'Start `request-journal project` with this --db, unless something runs it now and then'
