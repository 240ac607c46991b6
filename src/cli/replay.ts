import type { Command } from 'commander'
import { countText } from '../maintenance/count-text.js'
import type { ReplayOptions } from '../projection/replay.js'
import type { RowChange, TableDifference } from '../store/sqlite/compare/databases.js'
import { formatCount, formatValue } from './output/format.js'
import { withProgressLine } from './output/progress.js'
import { printAnswer } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import { describeResult } from './project.js'
import type { JsonFlag, ProgramCommand } from './run/command.js'
import { keepNewSpaceSmall } from './run/process.js'

export function addReplay(program: ProgramCommand): void {
  program
    .command('replay')
    .summary('rebuild the database from the journal')
    .description(
      'Rebuilds every projection from the first line of the journal, in one transaction: readers keep the ' +
        'old view until it is done, and an interrupted replay changes nothing. Stop the projector first. Rows ' +
        'that never came from a journal are kept. With --into the result is a new database, and the old one ' +
        'stays as it is. With --diff the differences between them are listed, and the exit code is 1 if there ' +
        'are any; lines that the old one has not projected yet make some, too.',
    )
    .journalOption()
    .storeOption()
    .chunksOption()
    .option(
      '--allow-missing',
      'rebuild even if segments that were projected, sealed or archived are gone or shorter, as in a backup ' +
        'that is older than the database: the rows of missing lines are lost',
    )
    .option('--into <path>', 'write the rebuilt database to this new path instead')
    .option('--diff', 'list by table and column what differs from the old database; needs --into')
    .rollupLabelOption()
    .jsonOption()
    .examples(
      'request-journal replay --journal /var/log/requests --db /var/lib/requests.db',
      'request-journal replay --into rebuilt.db --diff',
    )
    .action(runReplay)
}

async function runReplay(flags: ReplayOptions & JsonFlag, command: Command): Promise<void> {
  if (flags.diff && flags.into === undefined) {
    command.error("error: option '--diff' needs '--into': the old database is compared with a new one")
  }
  keepNewSpaceSmall()
  const { replay } = await import('../projection/replay.js')
  const result = await withProgressLine((line) =>
    replay({ ...flags, onProgress: (progress) => line.showProgress(progress) }),
  )
  printAnswer(result, flags, () =>
    [describeResult(result), ...describeDifferences(result.differences)].join('\n'),
  )
  if (result.differences !== undefined && result.differences.length > 0) process.exitCode = 1
}

function describeDifferences(differences: TableDifference[] | undefined): string[] {
  if (differences === undefined) return []
  if (differences.length === 0) return ['nothing differs from the old database']
  return differences.flatMap(({ table, added, removed, changed, columns, examples }) => [
    `${table}: ${countText(changed, 'row')} changed, ${formatCount(added)} added, ${formatCount(removed)} removed`,
    ...Object.entries(columns).map(([column, count]) => `  ${column} in ${countText(count, 'row')}`),
    ...examples.map((example) => visible(`  for example ${describeChange(example)}`)),
  ])
}

/** `segment_id 20261122000, byte_offset 0: model "gpt-5" becomes "gpt-4o"` */
function describeChange({ key, before, after }: RowChange): string {
  const row = describeCells(key)
  if (before === null) return `${row} is added`
  if (after === null) return `${row} is removed`
  const changes = Object.keys(after).map(
    (column) => `${column} ${formatValue(before[column])} becomes ${formatValue(after[column])}`,
  )
  return `${row}: ${changes.join('; ')}`
}

function describeCells(cells: Record<string, unknown>): string {
  return Object.entries(cells)
    .map(([column, value]) => `${column} ${formatValue(value)}`)
    .join(', ')
}
