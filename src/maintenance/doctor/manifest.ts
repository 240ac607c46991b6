import { readManifest } from '../../journal/chain/manifest.js'
import type { Segment } from '../../journal/segments.js'
import { type MissingSegment, missingSegments } from '../../projection/segments/missing-segments.js'
import { countText } from '../count-text.js'
import { type KnownSegments, NOTHING_KNOWN } from '../journal-tables.js'
import { type Finding, note, ok, problem } from './check.js'

/** Whether the chain of sealed segments is whole. */
export function checkManifest(directory: string): Finding {
  const { entries, problems } = readManifest(directory)
  if (problems.length === 0) {
    const found = `${countText(entries.length, 'entry', 'entries')}, the chain is whole`
    return ok(entries.length === 0 ? 'no segment is sealed yet' : found)
  }
  const items = problems.map(({ byteOffset, detail }) => `byte ${byteOffset}: ${detail}`)
  const advice = 'Run `request-journal verify`, and compare with a backup'
  return problem('the chain of sealed segments is broken', advice, items)
}

/**
 * Whether every segment that the manifest names is there. `checkPositions` covers those that were
 * projected.
 *
 * @param known null if no database can be read.
 */
export function checkMissing(
  directory: string,
  segments: readonly Segment[],
  known: KnownSegments | null,
): Finding {
  const { positions, pruned, accepted } = known ?? NOTHING_KNOWN
  const projected = new Set(positions.map(({ name }) => name))
  const manifest = readManifest(directory)
  const missingBut = (excused: ReadonlySet<string>) =>
    missingSegments(directory, manifest, segments, { positions, pruned, accepted: excused })
  const missing = missingBut(accepted).filter(({ name }) => !projected.has(name))
  const items = (of: readonly MissingSegment[]) => of.map(({ name, reason }) => `${name}: ${reason}`)
  if (missing.length > 0) {
    const advice =
      'The projector stops at this. Restore the segments from a backup, or do without them: `request-journal project --once --allow-missing`'
    const found = `${countText(missing.length, 'segment')} of the manifest missing or truncated, perhaps after a partial restore`
    return problem(found, advice, items(missing))
  }
  const all = missingBut(new Set()).filter(({ name }) => accepted.has(name))
  if (all.length === 0) return ok('every segment of the manifest is there, or was pruned')
  const found = `${countText(all.length, 'segment')} missing, which somebody has accepted with --allow-missing`
  return note(found, null, items(all))
}
