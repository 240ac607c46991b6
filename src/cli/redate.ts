import { countText } from '../maintenance/count-text.js'
import type { RedateOptions, RedateResult } from '../maintenance/redate.js'
import { withElapsedTime } from './output/elapsed.js'
import { printAnswer } from './output/standard-output.js'
import type { JsonFlag, ProgramCommand } from './run/command.js'

export function addRedate(program: ProgramCommand): void {
  program
    .command('redate')
    .summary('bring writers back from a segment dated in the future')
    .description(
      'If a clock was ahead, writers stay on a segment dated in the future, since it is the newest. This ' +
        'gives such segments the next names of today. The order of all lines stays as it is, and writers may ' +
        'run meanwhile. A database that has projected such segments is rebuilt, as by replay. Correct the ' +
        'clock and stop the projector first. The exit code is 1 if a segment stays in the future.',
    )
    .journalOption()
    .databaseOption()
    .option('--dry-run', 'only say what it would do')
    .jsonOption()
    .examples('request-journal redate --dry-run', 'request-journal redate')
    .action(runRedate)
}

async function runRedate(flags: RedateOptions & JsonFlag): Promise<void> {
  const { redate } = await import('../maintenance/redate.js')
  const result = await withElapsedTime(() => redate(flags))
  printAnswer(result, flags, describe)
  if (result.left.length > 0 || result.still_written.length > 0) process.exitCode = 1
}

function describe({ dry_run, renamed, left, still_written, replayed }: RedateResult): string {
  const lines = [`${countText(renamed.length, 'segment')} ${dry_run ? 'would be ' : ''}renamed`]
  for (const { segment, to } of renamed) lines.push(`${segment} ${dry_run ? 'would become' : 'is now'} ${to}`)
  for (const name of left) lines.push(`${name} stays: it is sealed or archived under this name`)
  for (const name of still_written) {
    lines.push(
      `${name} was made again: the clock of some writer is still ahead; correct it, then run this again`,
    )
  }
  if (replayed) lines.push('The database was rebuilt')
  return lines.join('\n')
}
