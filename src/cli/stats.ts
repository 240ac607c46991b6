import { type Command, Option } from 'commander'
import { withDatabase } from './database.js'
import { databaseOption, examples, jsonOption, parseTimestamp } from './options.js'
import { pageWidth, print, printJson } from './output.js'

interface StatsFlags {
  db: string
  since?: string
  until?: string
  groupBy?: 'model'
  json?: true
}

export function addStats(program: Command): void {
  program
    .command('stats')
    .summary('counts, costs, tokens, latency')
    .description(
      'Counts requests, failures, tokens, costs and latency, over all time unless told. The page has a ' +
        'table by model; --json is the body of GET /v1/stats, with groups only when --group-by asks for ' +
        'them.',
    )
    .addOption(databaseOption())
    .option('--since <time>', 'requests at or after this RFC 3339 time', parseTimestamp)
    .option('--until <time>', 'requests at or before this RFC 3339 time', parseTimestamp)
    .addOption(new Option('--group-by <what>', 'groups of the answer').choices(['model']))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        'request-journal stats --since 2026-11-01T00:00:00Z',
        'request-journal stats --group-by model --json | jq .models',
      ),
    )
    .action(async (flags: StatsFlags) => {
      const { stats } = await import('../queries/stats.js')
      const { formatStats } = await import('./stats-page.js')
      const { since, until } = flags
      const groupBy = flags.groupBy ?? (flags.json ? undefined : 'model')
      const answer = await withDatabase(flags.db, (database) => stats(database, { since, until, groupBy }))
      if (flags.json) printJson(answer)
      else print(formatStats(answer, pageWidth()))
    })
}
