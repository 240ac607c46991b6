import { countText } from '../maintenance/count-text.js'
import type { NotShippedReason, ShipOptions, ShipResult } from '../maintenance/ship/ship.js'
import { formatBytes } from './output/format.js'
import { withProgressLine } from './output/progress.js'
import { printAnswer } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import type { JsonFlag, ProgramCommand } from './run/command.js'
import { parseS3 } from './run/options.js'

const REASONS: Record<NotShippedReason, string> = {
  not_sealed: 'not sealed yet: a projector does that ten minutes after its UTC day is over',
  altered: 'NOT WHAT WAS SEALED: run `request-journal verify`',
}

export function addShip(program: ProgramCommand): void {
  program
    .command('ship')
    .summary('send sealed segments to an object store')
    .description(
      'Sends sealed segments, journal.json and the manifest, gzipped, to any object store that speaks the ' +
        'protocol of S3, in parts of at most 32 MiB of lines, each an object under ' +
        'PREFIX/JOURNAL-ID/SEGMENT/. Nothing is ever overwritten: what is there already is compared by size ' +
        'and hash, and an object that differs is an error. The next run continues one that was killed; run it ' +
        'every hour from a timer. Credentials, region and endpoint come from AWS_ACCESS_KEY_ID, AWS_PROFILE, ' +
        'AWS_REGION, AWS_ENDPOINT_URL and so on, as for the tools of AWS. Needs the package ' +
        '@aws-sdk/client-s3. The exit code is 1 if a segment is not what was sealed.',
    )
    .journalOption()
    .requiredOption('--to <address>', 'where to: s3://bucket/prefix', parseS3)
    .jsonOption()
    .examples(
      'AWS_REGION=eu-central-1 request-journal ship --to s3://logs/journals --journal /var/log/requests',
    )
    .action(runShip)
}

async function runShip(flags: ShipOptions & JsonFlag): Promise<void> {
  const { ship } = await import('../maintenance/ship/ship.js')
  const result = await withProgressLine((line) =>
    ship({
      ...flags,
      onProgress: ({ segment, bytes }) => line.show(() => `sending ${segment}: ${formatBytes(bytes)}`),
    }),
  )
  printAnswer(result, flags, describe)
  if (result.skipped.some(({ reason }) => reason === 'altered')) process.exitCode = 1
}

function describe({ to, shipped, held, skipped }: ShipResult): string {
  const bytes = shipped.reduce((sum, segment) => sum + segment.bytes, 0)
  const sent = `${countText(shipped.length, 'segment')} sent to ${to}: ${formatBytes(bytes)} before compression`
  return [
    `${visible(sent)}; ${countText(held, 'segment')} there already`,
    ...skipped.map(({ segment, reason }) => `${segment} isn't sent: ${REASONS[reason]}`),
  ].join('\n')
}
