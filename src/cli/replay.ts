import type { Command } from 'commander'
import type { ProjectResult } from '../projection/projector.js'
import { formatProgress, ProgressLine } from './output/progress.js'
import { print, printJson } from './output/standard-output.js'
import { describeResult } from './project.js'
import { databaseOption, examples, journalOption, jsonOption, rollupLabelOption } from './run/options.js'
import { keepNewSpaceSmall } from './run/process.js'

interface ReplayFlags {
  journal: string
  db: string
  allowMissing?: true
  rollupLabel?: string[]
  json?: true
}

export function addReplay(program: Command): void {
  program
    .command('replay')
    .summary('rebuild the database from the journal')
    .description(
      'Rebuilds every projection from the first line of the journal, in one transaction: readers keep ' +
        'the old view until it is done, and an interrupted replay changes nothing. Stop the projector ' +
        'first. Rows that never came from a journal are kept.',
    )
    .addOption(journalOption())
    .addOption(databaseOption())
    .option(
      '--allow-missing',
      'rebuild even if segments that were projected, sealed or archived are gone: their rows are lost then',
    )
    .addOption(rollupLabelOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('request-journal replay --journal /var/log/requests --db /var/lib/requests.db'),
    )
    .action(runReplay)
}

async function runReplay(flags: ReplayFlags): Promise<void> {
  keepNewSpaceSmall()
  const { replay } = await import('../projection/replay.js')
  const line = new ProgressLine()
  const startedAt = performance.now()
  let result: ProjectResult
  try {
    result = await replay({
      journal: flags.journal,
      database: flags.db,
      allowMissing: flags.allowMissing === true,
      rollupLabels: flags.rollupLabel,
      onProgress: (progress) => {
        const isRead = progress.bytes >= progress.total_bytes
        line.show((width) => formatProgress(progress, performance.now() - startedAt, width), isRead)
      },
    })
  } finally {
    line.erase()
  }
  if (flags.json) printJson(result)
  else print(describeResult(result))
}
