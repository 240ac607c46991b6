import { type Command, InvalidArgumentError, Option } from 'commander'
import { groupHint, isTooManyGroups, MAX_GROUPS } from '../queries/errors.js'
import type { StatsOptions } from '../queries/sums/stats.js'
import type { StatsGroupBy } from '../queries/sums/stats-groups.js'
import { pageWidth, print, printJson } from './output/standard-output.js'
import type { ProgramCommand } from './run/command.js'
import { askDatabase } from './run/database.js'
import { type FilterFlags, filterOf } from './run/filter-options.js'

interface StatsFlags
  extends FilterFlags,
    Pick<StatsOptions, 'groupBy' | 'limit' | 'percentiles' | 'unknown'> {
  sort?: 'requests' | 'cost'
  format: 'table' | 'csv'
  bom?: true
}

/** How many groups are printed if there are more than an answer may have. */
const MAX_GROUPS_OF_PAGE = 100

const GROUPS: readonly string[] = [
  'model',
  'provider',
  'policy',
  'tier',
  'service_tier',
  'error_status',
  'journal',
  'hour',
  'day',
]

export function addStats(program: ProgramCommand): void {
  program
    .command('stats')
    .summary('counts, costs, tokens, latency')
    .description(
      'Counts requests, failures, tokens, costs and latency, over all time by default. Prints a table by ' +
        'model by default; --format csv has its groups with every digit. --json prints the body of GET ' +
        '/v1/stats, which has groups only when --group-by asks for them. Models and tiers without requests in ' +
        'the window and the filters, which that route lists too, are left out.',
    )
    .storeOption()
    .filterOptions()
    .option(
      '--group-by <what>',
      `groups of the answer: ${GROUPS.join(', ')}, or label:<name> for the values of a label`,
      parseGroupBy,
    )
    .suggest('--group-by', GROUPS)
    .numberOption(
      '--limit <n>',
      'at most this many groups, those with the most requests, or cost with --sort; the rest becomes one group, other',
      1,
      MAX_GROUPS,
    )
    .choiceOption(
      '--sort <what>',
      'what groups are sorted by and what their shares are of; hours and days stay in their order. ' +
        'requests by default',
      ['requests', 'cost'],
    )
    .option(
      '--percentiles',
      'p50, p95 and p99 of the latency, within 1.6 %; printed without this option too, if there is room',
    )
    .unpricedOption('how many requests have no known cost, printed without this option too, if there is room')
    .option(
      '--unknown',
      'how many requests the totals leave out: without a known cost, failed or not, or without known ' +
        'tokens; and streams whose end is not known: open, or unfinished after an hour. Printed without this ' +
        'option too, if there is room',
    )
    .addOption(
      new Option(
        '--format <format>',
        'a table, or CSV with a row for each group and the columns of the JSON, in which no spreadsheet takes ' +
          'a cell for a formula',
      )
        .choices(['table', 'csv'])
        .default('table')
        .conflicts('json'),
    )
    .option('--bom', 'begin a CSV with a byte order mark, by which spreadsheets know that it is UTF-8')
    .jsonOption()
    .examples(
      'request-journal stats --range last_24h --group-by hour',
      'request-journal stats --range 2026-10 --provider openai --group-by label:team --sort cost',
      'request-journal stats --range 2026-10 --group-by label:team --sort cost --format csv > teams.csv',
      'request-journal stats --group-by model --json | jq .models',
    )
    .action(async (flags: StatsFlags, command: Command) => {
      const isCsv = flags.format === 'csv'
      if (flags.bom && !isCsv) {
        command.error(`error: option '--bom' needs '--format csv': found '--format ${flags.format}'`)
      }
      const { stats } = await import('../queries/sums/stats.js')
      const { noteLabels, noteNoLabel } = await import('./run/label-notes.js')
      const filter = { ...filterOf(flags), timezone: flags.timezone?.name }
      const ask = (asked: StatsOptions) =>
        askDatabase(flags, (database) => {
          const found = stats(database, { ...filter, ...asked, onlyMatching: true })
          const names = Object.keys(found.labels ?? {}).filter((name) => name !== found.unknown_group)
          const label = /^label:(.+)$/s.exec(flags.groupBy ?? '')?.[1]
          if (found.counts.total === 0) noteLabels(database, filter)
          else if (label !== undefined && names.length === 0) noteNoLabel(label)
          return found
        })
      if (flags.json) {
        const { groupBy, limit, sort: rank, percentiles, unpriced, unknown } = flags
        printJson(await ask({ groupBy, limit, rank, percentiles, unpriced: unpriced === true, unknown }))
        return
      }
      const { groupBy = 'model', sort: rank } = flags
      const asked: StatsOptions = { groupBy, rank, percentiles: true, unknown: true }
      if (isCsv) {
        const { formatStatsCsv } = await import('./output/stats-csv.js')
        process.stdout.write(await formatStatsCsv(await ask({ ...asked, limit: flags.limit }), flags))
        return
      }
      const { formatStats } = await import('./output/stats-page.js')
      const answer = await ask({ ...asked, limit: flags.limit }).catch((error: unknown) => {
        if (!isTooManyGroups(error)) throw error
        return ask({ ...asked, limit: MAX_GROUPS_OF_PAGE })
      })
      print(formatStats(answer, pageWidth(), { ...flags, unpriced: flags.unpriced === true }))
    })
}

function parseGroupBy(text: string): StatsGroupBy {
  if (GROUPS.includes(text) || /^label:./.test(text)) return text as StatsGroupBy
  const hint = groupHint(text, GROUPS)
  throw new InvalidArgumentError(`Expected ${GROUPS.join(', ')} or label:<name>${hint}`)
}
