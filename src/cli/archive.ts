import type { ArchiveOptions, ArchiveResult, SkipReason } from '../maintenance/archive.js'
import { countText } from '../maintenance/count-text.js'
import { formatBytes, formatCount } from './output/format.js'
import { withProgressLine } from './output/progress.js'
import { printAnswer } from './output/standard-output.js'
import { NOT_HELD } from './prune.js'
import type { JsonFlag, ProgramCommand } from './run/command.js'
import { parseS3 } from './run/options.js'

const REASONS: Record<SkipReason, string> = {
  newest: 'writers append to it: it is the newest segment',
  not_sealed: 'not sealed yet: a projector does that ten minutes after its UTC day is over',
  not_projected: 'not projected to its end: run `request-journal project --once`',
  not_held: NOT_HELD,
  altered: 'NOT WHAT WAS SEALED: run `request-journal verify`',
  still_written: 'a writer still appends to it: the next run archives it',
}

export function addArchive(program: ProgramCommand): void {
  program
    .command('archive')
    .summary('compress finished segments')
    .description(
      'Compresses segments that are sealed and fully projected to .ndjson.gz, reads each back and compares ' +
        'it before it removes the plain file. Replay and verify read archives too. Writers and the projector ' +
        'may run meanwhile, and a later run finishes what a killed one has begun. The exit code is 1 if a ' +
        'segment is not what was sealed.',
    )
    .journalOption()
    .storeOption()
    .option(
      '--shipped-to <address>',
      'where `ship` sends the segments, s3://bucket/prefix: a segment that is complete there may be ' +
        'archived; with an SQLite database, only such segments are',
      parseS3,
    )
    .option('--dry-run', 'only say what it would do')
    .jsonOption()
    .examples('request-journal archive --dry-run', 'request-journal archive --json')
    .action(runArchive)
}

async function runArchive(flags: ArchiveOptions & JsonFlag): Promise<void> {
  const { archive } = await import('../maintenance/archive.js')
  const result = await withProgressLine((line) =>
    archive({
      ...flags,
      onProgress: ({ segment, done, total }) => {
        line.show(() => `archiving ${segment} (${formatCount(done + 1)} of ${formatCount(total)})`)
      },
    }),
  )
  printAnswer(result, flags, describe)
  if (result.skipped.some(({ reason }) => reason === 'altered')) process.exitCode = 1
}

function describe({ dry_run, archived, skipped, bytes_before, bytes_after }: ArchiveResult): string {
  const sizes =
    bytes_after === null
      ? formatBytes(bytes_before)
      : `${formatBytes(bytes_before)} became ${formatBytes(bytes_after)}`
  const summary = `${countText(archived.length, 'segment')} ${dry_run ? 'would be ' : ''}archived: ${sizes}`
  return [summary, ...skipped.map(({ segment, reason }) => `${segment} stays: ${REASONS[reason]}`)].join('\n')
}
