import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import type { RequestLogged } from '../events/event-types.js'
import { countText } from '../maintenance/count-text.js'
import type { ImportNote } from '../maintenance/import/import-notes.js'
import type { ImportResult } from '../maintenance/import/import-result.js'
import type { ImportTotals } from '../maintenance/import/import-totals.js'
import { IMPORT_SOURCES, type ImportSource } from '../maintenance/import/imported-row.js'
import type { JournalImport } from '../maintenance/import/list-imports.js'
import type { ImportOptions, ImportProgress } from '../maintenance/import/options.js'
import type { UndoResult } from '../maintenance/import/undo-import.js'
import type { TimeZone } from '../queries/window/time-zone.js'
import { isPostgresAddress } from '../store/postgres/connection/address.js'
import { formatBytes, formatCount, UNKNOWN } from './output/format.js'
import { withProgressLine } from './output/progress.js'
import { note } from './output/standard-error.js'
import { pageWidth, printAnswer } from './output/standard-output.js'
import { formatTable } from './output/table.js'
import { visible } from './output/terminal.js'
import type { CommonFlags, ProgramCommand } from './run/command.js'
import { parsePath, parseTimeZone } from './run/options.js'
import { type Pairs, parsePair } from './run/pairs.js'

/** How many rejected rows are reported one by one. */
const NAMED_ROWS = 20
/** How many characters of an import's id are shown: `--undo` needs no more. */
const SHOWN_ID_CHARACTERS = 8

interface ImportFlags extends CommonFlags, Omit<ImportOptions, 'from' | 'file' | 'timezone' | 'journal'> {
  from?: ImportSource
  timezone?: TimeZone
  list?: true
  undo?: string
}

export function addImport(program: ProgramCommand): void {
  program
    .command('import')
    .summary('import requests that another program has logged')
    .argument('[file]', 'the file to read; with --from sqlite, a database', parsePath)
    .description(
      'Imports the requests of a file into the journal, once: they keep their timestamps, and a second run ' +
        "of the same file adds nothing. Writers and the projector may run meanwhile. A row that can't become " +
        'a request is rejected with its line and the reason, and the exit code is 1; the other rows are ' +
        'imported. If more than ten rows, and more than a tenth of all, would be rejected, nothing is ' +
        'imported. A request that an earlier import has added is not added again. An import that was killed ' +
        'is finished by the next one.',
    )
    .journalOption()
    .addOption(
      program
        .createOption('--from <source>', 'the program or the kind of file that the rows come from')
        .choices(IMPORT_SOURCES),
    )
    .option('--table <name>', 'the table or view to read; with --from sqlite')
    .option(
      '--map <column=field>',
      'the field that a column becomes, or labels.NAME for a label; may be repeated. Columns of csv and ' +
        'sqlite that have the name of a field need no --map',
      parseAssignment,
    )
    .option(
      '--set <field=value>',
      'the value of a field for requests whose rows have none; may be repeated',
      parseAssignment,
    )
    .option(
      '--timezone <zone>',
      'the time zone of times without an offset, by its IANA name: Europe/Berlin. litellm, langfuse and ' +
        'openrouter write UTC; from the others such times are refused without this option',
      parseTimeZone,
    )
    .option(
      '--rejected <file>',
      'a new file for the rejected rows, unchanged, so that they can be corrected and imported',
      parsePath,
    )
    .option('--allow-rejected', 'import the other rows, however many are rejected')
    .option('--list', 'only list what was imported into the journal: files, days, counts, segments')
    .option(
      '--undo <id>',
      'take an import out of the journal, by its id or the part of it that --list shows; with --dry-run it ' +
        'only says what it would take out. Stop the projector first (nothing is taken out while one works ' +
        'on --db, or on requests.db beside the journal), and run `replay --allow-missing` afterwards',
    )
    .storeOption()
    .option(
      '--dry-run',
      'only say what it would do: the first ten requests, the totals, and what is rejected',
    )
    .jsonOption()
    .examples(
      'request-journal import --from litellm spend-logs.csv --dry-run',
      'request-journal import --from csv calls.csv --timezone Europe/Berlin --map when=timestamp --map ms=latency_ms --map team=labels.team',
      'request-journal import --from sqlite old.db --table requests --timezone UTC',
      'request-journal import --list',
      'request-journal import --undo 3f9a12c4',
    )
    .action(runImport)
}

async function runImport(file: string | undefined, flags: ImportFlags, command: Command): Promise<void> {
  const { list, undo } = flags
  if (file !== undefined && (list || undo !== undefined)) {
    command.error(`error: '--${list ? 'list' : 'undo'}' takes no file, found ${file}`)
  }
  if (list) return await printImports(flags)
  if (undo !== undefined) return await runUndo(undo, flags, command)
  if (file === undefined) command.error("error: missing required argument 'file'")
  if (flags.from === undefined) command.error("error: required option '--from <source>' not specified")
  const { importRequests } = await import('../maintenance/import/import.js')
  const { checkImportOptions } = await import('../maintenance/import/options.js')
  const options = { ...flags, from: flags.from, file, timezone: flags.timezone?.name }
  try {
    checkImportOptions(options)
  } catch (error) {
    if (error instanceof RangeError) command.error(`error: option --${error.message}`)
    throw error
  }
  const result = await withProgressLine((line) =>
    importRequests({ ...options, onProgress: (progress) => line.show(() => progressText(progress)) }),
  )
  for (const { line, reason } of result.rejections.slice(0, NAMED_ROWS)) {
    note(`line ${formatCount(line)}: ${visible(reason)}`)
  }
  if (result.rejected > NAMED_ROWS)
    note(`… and ${countText(result.rejected - NAMED_ROWS, 'more row')} rejected`)
  if (result.dry_run && result.too_many_rejected && flags.allowRejected !== true)
    note('so many are rejected that nothing would be imported without --allow-rejected')
  printAnswer(result, flags, (answer) => describe(answer, visible(flags.journal)))
  if (result.rejected > 0) process.exitCode = 1
}

async function printImports(flags: ImportFlags): Promise<void> {
  const { listImports } = await import('../maintenance/import/list-imports.js')
  printAnswer({ imports: listImports(flags) }, flags, ({ imports }) => listText(imports))
}

async function runUndo(undo: string, flags: ImportFlags, command: Command): Promise<void> {
  const { undoImport } = await import('../maintenance/import/undo-import.js')
  let result: UndoResult
  try {
    result = undoImport({ ...flags, undo, database: databaseOf(flags) })
  } catch (error) {
    if (error instanceof RangeError) command.error(`error: option --${error.message}`)
    throw error
  }
  printAnswer(result, flags, undoText)
}

/** The database that was named or is in this directory, or else the one beside the journal. */
function databaseOf({ journal, database }: ImportFlags): string {
  if (isPostgresAddress(database) || existsSync(database)) return database
  return join(dirname(journal), 'requests.db')
}

function undoText({ dry_run, undone, is_manifest_restored }: UndoResult): string {
  const { import_id, file, requests, segments } = undone
  const name = visible(`${import_id} of ${file ?? 'a file without a name'}`)
  const size = [
    requests === null ? [] : [countText(requests, 'request')],
    countText(segments.length, 'segment'),
  ]
  const lines = [`Import ${name} ${dry_run ? 'would be' : 'was'} taken out: ${size.flat().join(' in ')}`]
  if (!is_manifest_restored)
    lines.push(
      'The manifest has later entries, so it still names these segments: `verify` counts them as gone',
    )
  if (!dry_run) lines.push('Next: `request-journal replay --allow-missing` builds the database without them')
  return lines.join('\n')
}

function listText(imports: readonly JournalImport[]): string {
  if (imports.length === 0) return 'no imports'
  return formatTable(
    [
      { title: 'id', cell: ({ import_id }) => import_id.slice(0, SHOWN_ID_CHARACTERS) },
      { title: 'imported at', cell: ({ imported_at }) => `${imported_at.slice(0, 19)}Z` },
      { title: 'file', shrinksTo: 12, cell: ({ file }) => file ?? UNKNOWN },
      { title: 'options', shrinksTo: 14, cell: ({ options }) => options },
      { title: 'first day', cell: ({ from }) => from.slice(0, 10) },
      { title: 'last day', cell: ({ to }) => to.slice(0, 10) },
      { title: 'requests', align: 'right', cell: ({ requests }) => formatCount(requests) },
      { title: 'events', align: 'right', dropRank: 2, cell: ({ event_count }) => formatCount(event_count) },
      { title: 'segments', shrinksTo: 24, cell: ({ segments }) => segmentsText(segments) },
      { title: 'gone', align: 'right', dropRank: 1, cell: ({ segments_gone }) => formatCount(segments_gone) },
    ],
    imports,
    pageWidth(),
  )
}

function progressText({ step, done, total }: ImportProgress): string {
  if (step === 'reading') return `reading: ${countText(done, 'row')}`
  if (step === 'storing') return `storing segment ${formatCount(done + 1)} of ${formatCount(total ?? 0)}`
  return `comparing: ${formatBytes(done)}${total === null ? '' : ` of ${formatBytes(total)}`}`
}

function describe(result: ImportResult, journal: string): string {
  const { dry_run, finished, already_imported, requests, segments, events } = result
  const lines = finished.map((id) => `Finished import ${id}, which was interrupted`)
  if (already_imported) {
    const gone = result.segments_gone === 0 ? '' : `, of which ${formatCount(result.segments_gone)} are gone`
    const places = `${countText(segments.length, 'segment')} of ${journal}${gone}`
    lines.push(`Imported before: its requests went into ${places}`)
    if (result.rows > 0) lines.push(`${countText(result.rejected, 'row')} rejected`)
    return lines.join('\n')
  }
  const what = `${countText(requests, 'request')} (${countText(result.event_count, 'event')})`
  lines.push(`${what} ${dry_run ? 'would be ' : ''}imported into ${journal}${leftOutText(result)}`)
  if (requests > 0) lines.push(`from ${result.from} to ${result.to}: ${totalsText(result.totals)}`)
  if (result.ambiguous_times > 0) {
    const times = countText(result.ambiguous_times, 'time')
    lines.push(`${times} occurred twice, because clocks were put back: the first instant is taken`)
  }
  lines.push(...othersTexts(result))
  lines.push(...result.notes.map(noteText))
  if (segments.length > 0) lines.push(`in ${segmentsText(segments)}`)
  if (events.length > 0) lines.push('', `The first requests (--json has all of their fields):`)
  lines.push(...events.map((event) => visible(requestText(event))))
  return lines.join('\n')
}

/** `2026-10-25T01:00:00.000Z gpt-4o: latency_ms 100, success true, labels.team search` */
function requestText({ type, timestamp, model, labels = {}, ...fields }: RequestLogged): string {
  const labelled = Object.entries(labels).map(([name, value]) => [`labels.${name}`, value] as const)
  const known = [...Object.entries(fields), ...labelled].filter(([, value]) => value !== null)
  return `${timestamp} ${model}: ${known.map(([name, value]) => `${name} ${value}`).join(', ')}`
}

/** What became of the other rows. */
function leftOutText({ rejected, already_there, repeated, left_out }: ImportResult): string {
  const others = [
    [already_there, 'already there from another import'],
    [repeated, 'twice in the file'],
    [left_out, "left out, since they aren't requests"],
  ] as const
  const counted = others
    .filter(([count]) => count > 0)
    .map(([count, text]) => `${formatCount(count)} ${text}`)
  return [`, ${formatCount(rejected)} rejected`, ...counted].join(', ')
}

/** What the rows carry that aren't imported, so that the sums of the source can be compared. */
function othersTexts(result: ImportResult): string[] {
  const { rejected, already_there, already_there_differing, repeated, repeated_differing } = result
  const differing = (count: number, taken: string) =>
    count === 0
      ? ''
      : `; ${formatCount(count)} of them ${count === 1 ? 'has' : 'have'} another cost: ${taken}`
  const there = differing(already_there_differing, 'the one that is there stays')
  const again = differing(repeated_differing, 'the first is taken')
  return [
    rejected === 0 ? [] : `rejected: ${totalsText(result.rejected_totals)}`,
    already_there === 0 ? [] : `already there: ${totalsText(result.already_there_totals)}${there}`,
    repeated === 0 ? [] : `twice in the file: ${totalsText(result.repeated_totals)}${again}`,
  ].flat()
}

/** `3 requests, the first on line 12: succeeded without a cost` */
function noteText({ note, count, first_line, values, has_more_values }: ImportNote): string {
  const line = `line ${formatCount(first_line)}`
  const where = count === 1 ? `on ${line}` : `the first on ${line}`
  const named = [...values.map(visible), ...(has_more_values ? ['…'] : [])].join(', ')
  return `${countText(count, 'request')}, ${where}: ${note}${named === '' ? '' : `: ${named}`}`
}

function totalsText(totals: ImportTotals): string {
  const { input_tokens, output_tokens, ...costs } = totals
  const tokens = `${formatCount(input_tokens)} tokens in, ${formatCount(output_tokens)} out`
  const known = Object.entries(costs).flatMap(([name, cost]) => (cost === null ? [] : [`${name} ${cost}`]))
  return [tokens, ...known].join(', ')
}

function segmentsText(segments: readonly string[]): string {
  const [first, last] = [segments[0], segments.at(-1)]
  const span = first === last ? first : `${first} to ${last}`
  return `${countText(segments.length, 'segment')}: ${span}`
}

function parseAssignment(text: string, before: Pairs = {}): Pairs {
  return parsePair(text, before, "Expected two names with '=' between them.")
}
