import { type Command, InvalidArgumentError } from 'commander'
import { countText } from '../maintenance/count-text.js'
import { isS3Address } from '../maintenance/objects/s3-address.js'
import type { ExportedRequest, ExportOptions } from '../queries/rows/export.js'
import type { QueryDatabase } from '../store/query-database.js'
import { csvFormat } from './output/csv.js'
import { exportTo, standardOutput } from './output/export-target.js'
import { formatBytes } from './output/format.js'
import { note } from './output/standard-error.js'
import { terminalJson, visible } from './output/terminal.js'
import type { ProgramCommand } from './run/command.js'
import { askDatabase } from './run/database.js'
import { type FilterFlags, filterOf } from './run/filter-options.js'
import { parsePath, parseS3 } from './run/options.js'
import { stopOnSignal } from './run/process.js'

interface ExportFlags extends FilterFlags {
  format: 'ndjson' | 'csv' | 'parquet'
  order: 'id' | 'timestamp'
  output?: string
  partitionBy?: 'day'
  bom?: true
  labelColumn?: string[]
}

/** How many requests are formatted at once: enough to be fast, and few enough to keep in memory. */
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
    .summary('requests as NDJSON, CSV or Parquet')
    .description(
      'Writes requests to stdout or to a file, however many there are; the projector may run meanwhile. The ' +
        'format is NDJSON, from which `append` makes the same requests again, with the costs that were logged ' +
        'but not those computed from prices, which the copy needs too; CSV with a header, in which no ' +
        'spreadsheet takes a cell for a formula; or Parquet files in a folder for each UTC day ' +
        '(day=2026-11-22/part-00000.parquet), which DuckDB, ClickHouse, Spark, Trino and Athena read as one ' +
        'table. Parquet needs the package hyparquet-writer, and s3:// also @aws-sdk/client-s3. A day whose ' +
        'folder exists already is refused: nothing is ever replaced.',
    )
    .storeOption()
    .choiceOption('--format <format>', 'the format to write', ['ndjson', 'csv', 'parquet'], 'ndjson')
    .option('--bom', 'begin a CSV with a byte order mark, by which spreadsheets know that it is UTF-8')
    .option(
      '--label-column <name>',
      'add the column label:<name> to a CSV, with the values of this label; may be repeated',
      parseLabelColumn,
    )
    .choiceOption('--order <order>', 'what to sort by', ['id', 'timestamp'], 'id')
    .option(
      '--output <file>',
      'write to this new file instead of stdout; it gets its name once it is complete. With --partition-by, ' +
        'the folder that gets a folder for each day, or s3://bucket/prefix',
      (text) => (isS3Address(text) ? parseS3(text) : parsePath(text)),
    )
    .choiceOption('--partition-by <period>', 'the period that gets a folder of its own; for Parquet', ['day'])
    .filterOptions()
    .unpricedOption()
    .examples(
      'request-journal export --since 2026-11-01 --until 2026-11-30 --format csv --output november.csv',
      'request-journal export --format csv --bom --label-column team --label-column user > search.csv',
      'request-journal export --label team=search | gzip > search.ndjson.gz',
      'request-journal export --range yesterday --format parquet --partition-by day --output s3://lake/requests',
    )
    .action(async (flags: ExportFlags, command: Command) => {
      checkFormat(flags, command)
      if (flags.format === 'parquet') return await writeParquet(flags)
      const options = { ...filterOf(flags), order: flags.order }
      // A terminal that shows the requests doesn't also show the elapsed time.
      const isTimed = flags.output !== undefined || !process.stdout.isTTY
      const exported = await askDatabase(flags, (database) => writeAll(database, options, flags), {
        isTimed,
      })
      if (flags.output === undefined) return
      const path = visible(flags.output)
      note(
        exported === null ? `stopped: there is no ${path}` : `${countText(exported, 'request')} to ${path}`,
      )
    })
}

/** Refuses options that only another format takes. */
function checkFormat(flags: ExportFlags, command: Command): void {
  const { format, output, partitionBy } = flags
  const needs = (option: string, needed: string) =>
    command.error(`error: option '${option}' needs '${needed}': found '--format ${format}'`)
  const ofCsv = flags.bom ? '--bom' : flags.labelColumn !== undefined ? '--label-column <name>' : null
  if (format !== 'csv' && ofCsv !== null) needs(ofCsv, '--format csv')
  if (format !== 'parquet') {
    if (partitionBy !== undefined) needs('--partition-by <period>', '--format parquet')
    if (output !== undefined && isS3Address(output)) needs('--output s3://…', '--format parquet')
    return
  }
  if (partitionBy === undefined || output === undefined) {
    command.error("error: '--format parquet' needs '--partition-by day' and '--output <folder or s3://…>'")
  }
  if (command.getOptionValueSource('order') !== 'default' && flags.order !== 'timestamp') {
    command.error("error: '--format parquet' takes only '--order timestamp'")
  }
}

async function writeParquet(flags: ExportFlags): Promise<void> {
  const { exportParquet } = await import('../maintenance/parquet/export-parquet.js')
  const { output: to = '' } = flags
  const signal = stopOnSignal()
  const result = await askDatabase(flags, (database) =>
    exportParquet(database, { ...filterOf(flags), to, signal }),
  )
  if (result === null) return note(`stopped: the last day isn't whole in ${visible(to)}`)
  const { requests, days, files, bytes } = result
  const found = `${countText(requests, 'request')} of ${countText(days.length, 'day')}`
  note(`${found} to ${countText(files, 'file')} in ${visible(to)}: ${formatBytes(bytes)}`)
}

function parseLabelColumn(name: string, before: string[] = []): string[] {
  if (name === '') throw new InvalidArgumentError('Expected the name of a label, found nothing.')
  return [...new Set([...before, name])]
}

/** @returns how many requests were written; null if a signal stopped it. */
async function writeAll(
  database: QueryDatabase,
  options: ExportOptions,
  flags: ExportFlags,
): Promise<number | null> {
  const { exportRequests } = await import('../queries/rows/export.js')
  const format = flags.format === 'csv' ? await csvOf(flags) : ndjson
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

async function csvOf({
  bom,
  labelColumn = [],
}: ExportFlags): Promise<(batch: readonly ExportedRequest[], isFirst: boolean) => string> {
  const format = await csvFormat([...COLUMNS, ...labelColumn.map((name) => `label:${name}`)], bom)
  const cells = (request: ExportedRequest) => [
    ...COLUMNS.map((column) => request[column]),
    ...labelColumn.map((name) => labelOf(request, name)),
  ]
  return (batch, isFirst) => format(batch.map(cells), isFirst)
}

function labelOf({ labels = {} }: ExportedRequest, name: string): string | undefined {
  return Object.hasOwn(labels, name) ? labels[name] : undefined
}
