import { join } from 'node:path'
import { shownText } from '../../events/describe-value.js'
import type { EventType } from '../../events/event-types.js'
import { FIELDS } from '../../events/fields.js'
import { parseLine } from '../../events/line.js'
import { nearestName } from '../../events/nearest-name.js'
import { eventTypeOf, unknownFields } from '../../events/normalize-event.js'
import { plainFile, type Segment } from '../../journal/segments.js'
import { countText } from '../count-text.js'
import { type Finding, note, ok } from './check.js'
import { readTail } from './segments.js'

/** How much of the newest segment's end is read: about a thousand lines. */
const SAMPLE_BYTES = 256 * 1024
const MAX_NAMES = 20
const NEWLINE = 0x0a
/** The member by which `serve --ingest` knows a POST again. */
const OWN_MARK = 'ingest'

/**
 * Members that no event has, in the journal's newest lines. Readers ignore them, so a program that
 * writes `prompt_tokens` itself would otherwise hear nothing of its missing tokens.
 */
export function checkUnknownMembers(directory: string, segments: readonly Segment[]): Finding {
  const newest = segments.findLast(({ state }) => state === 'plain')
  const counts = new Map<string, { count: number; hint: string }>()
  let lines = 0
  const newestLines = newest === undefined ? [] : lastLines(join(directory, plainFile(newest)))
  if (newestLines === null)
    return ok('not checked: `segment_files` says why the newest segment can’t be read')
  for (const line of newestLines) {
    const parsed = parseLine(line)
    if ('reason' in parsed) continue
    const type = eventTypeOf(parsed.members['type'])
    if (type === null) continue
    lines++
    for (const name of Object.keys(unknownFields(parsed.members, type) ?? {})) {
      if (name === OWN_MARK) continue
      const known = counts.get(name) ?? { count: 0, hint: hintOf(name, type) }
      known.count++
      counts.set(name, known)
    }
  }
  if (counts.size === 0) return ok('the newest lines have only members that events have')
  const advice =
    'They stay in the journal and have no effect. If they were meant as others, such as prompt_tokens as input_tokens, ' +
    'mend the program that writes them: journal/README.md lists the members'
  const items = [...counts]
    .toSorted(([, a], [, b]) => b.count - a.count)
    .slice(0, MAX_NAMES)
    .map(([name, { count, hint }]) => `${shownText(name)}: ${countText(count, 'line')}${hint}`)
  const found = `${countText(counts.size, 'member')} that no event has in the last ${countText(lines, 'line')} of ${newest?.name}`
  return note(found, advice, items)
}

function hintOf(name: string, type: EventType): string {
  const nearest = nearestName(name, Object.keys(FIELDS[type]))
  return nearest === null ? '' : `; did they mean ${nearest}?`
}

/** The whole lines in a file's last bytes, without their newlines; null if it can't be read. */
function lastLines(path: string): Iterable<Buffer> | null {
  try {
    const { tail, size } = readTail(path, SAMPLE_BYTES)
    return wholeLines(tail, size <= SAMPLE_BYTES ? 0 : tail.indexOf(NEWLINE) + 1)
  } catch {
    return null
  }
}

function* wholeLines(tail: Buffer, from: number): Generator<Buffer> {
  let start = from
  for (let end = tail.indexOf(NEWLINE, start); end !== -1; end = tail.indexOf(NEWLINE, start)) {
    yield tail.subarray(start, end)
    start = end + 1
  }
}
