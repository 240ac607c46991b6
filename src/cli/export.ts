import { type Command, InvalidArgumentError } from 'commander'
import { countText } from '../maintenance/count-text.js'
import type { ExportedRequest, ExportOptions } from '../queries/rows/export.js'
import type { QueryDatabase } from '../store/query-database.js'
import { exportTo, standardOutput } from './output/export-target.js'
import { note } from './output/standard-error.js'
import { terminalJson, visible } from './output/terminal.js'
import type { ProgramCommand } from './run/command.js'
import { withDatabase } from './run/database.js'
import { type FilterFlags, filterOf } from './run/filter-options.js'
import { parsePath } from './run/options.js'

interface ExportFlags extends FilterFlags {
  db: string
  schema?: string
  format: 'ndjson' | 'csv'
  order: 'id' | 'timestamp'
  output?: string
  bom?: true
  labelColumn?: string[]
}

/** How many requests are made into text at once: enough to be fast, and few enough to hold. */
const BATCH_ROWS = 500
/** How many UTF-16 units of labels a batch has at most: one request may have 1 MiB. */
const BATCH_LABELS = 1024 * 1024

const COLUMNS: readonly (keyof ExportedRequest)[] = [
  'id',
  'correlation_id',
  'timestamp',
  'model',
  'provider',
  'policy',
  'streaming',
  'success',
  'input_tokens',
  'output_tokens',
  'cost_sats',
  'provider_cost_sats',
  'latency_ms',
  'stream_duration_ms',
  'error_status',
  'error_message',
  'labels',
  'segment',
  'byte_offset',
  'attempt',
  'response_model',
  'service_tier',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'reasoning_output_tokens',
  'audio_output_tokens',
  'cost_usd',
  'provider_cost_usd',
  'cost_source',
  'cost_currency',
]

export function addExport(program: ProgramCommand): void {
  program
    .command('export')
    .summary('requests as NDJSON or CSV')
    .description(
      'Writes requests to stdout or to a file, however many, while the projector goes on: as NDJSON, of which `append` ' +
        'makes the same requests again, or as CSV with a header, in which no spreadsheet takes a cell for a formula.',
    )
    .storeOption()
    .choiceOption('--format <format>', 'the format to write', ['ndjson', 'csv'], 'ndjson')
    .option('--bom', 'begin a CSV with a byte order mark, by which spreadsheets know that it is UTF-8')
    .option(
      '--label-column <name>',
      'a column of a CSV, label:<name>, with the values of this label; may be repeated',
      parseLabelColumn,
    )
    .choiceOption('--order <order>', 'what to sort by', ['id', 'timestamp'], 'id')
    .option(
      '--output <file>',
      'write to a new file, which gets its name once it is whole, instead of stdout',
      parsePath,
    )
    .filterOptions()
    .unpricedOption()
    .examples(
      'request-journal export --since 2026-11-01 --until 2026-11-30 --format csv --output november.csv',
      'request-journal export --format csv --bom --label-column team --label-column user > search.csv',
      'request-journal export --label team=search | gzip > search.ndjson.gz',
    )
    .action(async (flags: ExportFlags, command: Command) => {
      const ofCsv = flags.bom ? '--bom' : flags.labelColumn !== undefined ? '--label-column <name>' : null
      if (flags.format !== 'csv' && ofCsv !== null) {
        command.error(`error: option '${ofCsv}' needs '--format csv': found '--format ${flags.format}'`)
      }
      const options = { ...filterOf(flags), order: flags.order }
      const exported = await withDatabase(flags, (database) => writeAll(database, options, flags))
      if (flags.output === undefined) return
      const path = visible(flags.output)
      note(
        exported === null ? `stopped: there is no ${path}` : `${countText(exported, 'request')} to ${path}`,
      )
    })
}

function parseLabelColumn(name: string, before: string[] = []): string[] {
  if (name === '') throw new InvalidArgumentError('Expected the name of a label, found nothing.')
  return [...new Set([...before, name])]
}

/** @returns how many requests were written; null if a signal has ended it. */
async function writeAll(
  database: QueryDatabase,
  options: ExportOptions,
  flags: ExportFlags,
): Promise<number | null> {
  const { exportRequests } = await import('../queries/rows/export.js')
  const format = flags.format === 'csv' ? await csvFormat(flags) : ndjson
  const requests = exportRequests(database, options)
  // Read before the file is made, so that an unknown model leaves no file.
  let batch = nextBatch(requests)
  const output = flags.output === undefined ? standardOutput() : exportTo(flags.output)
  let exported = 0
  try {
    for (let isFirst = true; isFirst || batch.length > 0; isFirst = false) {
      await output.write(format(batch, isFirst))
      if (output.isStopped) return null
      exported += batch.length
      batch = nextBatch(requests)
    }
    output.finish?.()
    return exported
  } finally {
    output.close?.()
  }
}

function nextBatch(requests: Iterator<ExportedRequest, void>): ExportedRequest[] {
  const batch: ExportedRequest[] = []
  let labels = 0
  while (batch.length < BATCH_ROWS && labels < BATCH_LABELS) {
    const next = requests.next()
    if (next.done === true) break
    batch.push(next.value)
    for (const [name, value] of Object.entries(next.value.labels ?? {})) labels += name.length + value.length
  }
  return batch
}

function ndjson(batch: readonly ExportedRequest[]): string {
  return batch.map((request) => `${terminalJson(request)}\n`).join('')
}

async function csvFormat({
  bom,
  labelColumn = [],
}: ExportFlags): Promise<(batch: readonly ExportedRequest[], isFirst: boolean) => string> {
  const { stringify } = await import('csv-stringify/sync')
  // Rows are arrays: csv-stringify takes names of members for paths, and a label's name may have
  // dots.
  const cells = (request: ExportedRequest) => [
    ...COLUMNS.map((column) => request[column]),
    ...labelColumn.map((name) => labelOf(request, name)),
  ]
  return (batch, isFirst) =>
    stringify(batch.map(cells), {
      bom: bom === true && isFirst,
      header: isFirst,
      columns: [...COLUMNS, ...labelColumn.map((name) => `label:${name}`)],
      escape_formulas: true,
      cast: { boolean: String, object: (value) => JSON.stringify(value), string: afterLineFeed },
    })
}

function labelOf({ labels = {} }: ExportedRequest, name: string): string | undefined {
  return Object.hasOwn(labels, name) ? labels[name] : undefined
}

/**
 * Escapes a leading line feed, which some spreadsheets skip; csv-stringify knows the other
 * characters.
 */
function afterLineFeed(text: string): string {
  return text.startsWith('\n') ? `'${text}` : text
}
