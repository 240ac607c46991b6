import { canonicalTimestamp } from '../events/timestamp.js'
import { countText } from '../maintenance/count-text.js'
import type { LeftReason, PruneOptions, PruneResult } from '../maintenance/prune.js'
import { withElapsedTime } from './output/elapsed.js'
import { formatBytes } from './output/format.js'
import { printAnswer } from './output/standard-output.js'
import type { JsonFlag, ProgramCommand } from './run/command.js'
import { parseS3, textThat } from './run/options.js'

/** Why a segment stays that no copy off its host holds, and what to do. */
export const NOT_HELD =
  'no copy off this host holds all of its bytes: run `request-journal ship` and name the store with ' +
  '--shipped-to, or `request-journal replay` without --no-chunks, which writes them to PostgreSQL'

const REASONS: Record<LeftReason, string> = {
  not_archived: 'not archived: run `request-journal archive`',
  not_projected: 'not projected to its end: run `request-journal project --once`',
  not_held: NOT_HELD,
  behind_another: 'an older segment stays, and segments are removed oldest first',
}

export function addPrune(program: ProgramCommand): void {
  program
    .command('prune')
    .summary('remove the oldest days from database and journal')
    .description(
      'Removes the rows of all segments of the UTC days before a date, then their archives, oldest first. ' +
        "They can't be replayed any more. An imported segment counts by the days of its requests. Segments " +
        "that aren't archived stay, with their rows. In PostgreSQL only this journal's rows are removed, and " +
        'a segment only if its bytes are kept there or in an object store (see ship). Stop the projector ' +
        'first. A later run finishes what a killed one has begun.',
    )
    .journalOption()
    .storeOption()
    .requiredOption('--before <date>', 'remove the days before this one: 2026-11-22', parseDay)
    .option(
      '--chunks',
      "also remove these days' bytes that PostgreSQL keeps: they can't be restored from there then",
    )
    .exclusiveOption(
      '--shipped-to <address>',
      'where `ship` sends the segments, s3://bucket/prefix: a segment that is complete there may be ' +
        'removed; with an SQLite database, only such segments are',
      'chunks',
      parseS3,
    )
    .option('--dry-run', 'only say what it would do')
    .jsonOption()
    .examples(
      'request-journal prune --before 2026-11-22 --dry-run',
      'request-journal prune --before "$(date -u -d \'90 days ago\' +%F)"',
    )
    .action(runPrune)
}

async function runPrune(flags: PruneOptions & JsonFlag): Promise<void> {
  const { prune } = await import('../maintenance/prune.js')
  const result = await withElapsedTime(() => prune(flags))
  printAnswer(result, flags, describePrune)
}

/** `2 rows of 1 segment (158 B of archives) removed`, and what that means for a replay. */
export function describePrune({ dry_run, rows, segments, left, bytes, replays_from }: PruneResult): string {
  const would = dry_run ? 'would be ' : ''
  const archives = `${countText(segments.length, 'segment')} (${formatBytes(bytes)} of archives)`
  const lines = [`${countText(rows, 'row')} of ${archives} ${would}removed`]
  if (segments.length > 0) {
    const { 0: first, length, [length - 1]: last } = segments
    const span = first === last ? first : `${first} to ${last}`
    const can = dry_run ? "couldn't" : "can't"
    // Imported segments are pruned by the days of their requests, which aren't those of their
    // names.
    const isGap = replays_from !== null && last !== undefined && replays_from < last
    lines.push(
      isGap
        ? `${countText(length, 'segment')}, ${span}, ${can} be replayed any more: a replay begins with ${replays_from}, without them`
        : `${span} ${can} be replayed any more: a replay begins with ${replays_from}`,
    )
  }
  return [...lines, ...left.map(({ segment, reason }) => `${segment} stays: ${REASONS[reason]}`)].join('\n')
}

const parseDay = textThat(
  (text) => canonicalTimestamp(`${text}T00:00:00Z`) !== null,
  'Expected a UTC day, such as 2026-11-22.',
)
