import { existsSync } from 'node:fs'
import { nearestName } from '../../events/nearest-name.js'
import { InputError } from '../errors.js'
import type { ImportSource } from './imported-row.js'
import { LANGFUSE_COLUMNS } from './langfuse.js'
import { LITELLM_COLUMNS, LITELLM_DAY_COLUMNS } from './litellm.js'
import { columnMap, isMappable, MAPPABLE_FIELDS } from './mapped-fields.js'
import { OPENROUTER_COLUMNS, OPENROUTER_DAY_COLUMNS } from './openrouter.js'

export interface ImportOptions {
  /** The journal's directory, created if it doesn't exist. */
  journal: string
  /** The program or the kind of file that the rows come from. */
  from: ImportSource
  /** The path of the file: CSV or JSON; with `sqlite` a database. */
  file: string
  /** The table or view to read; needed with `sqlite`. */
  table?: string | undefined
  /**
   * The field of each column: of `request_logged`, `stream_duration_ms`, or `labels.NAME`. Columns of
   * `csv` and `sqlite` that are named as fields need none.
   */
  map?: Readonly<Record<string, string>> | undefined
  /** The values of fields for requests whose rows have none. */
  set?: Readonly<Record<string, string>> | undefined
  /**
   * The zone of times without an offset, by its name in the IANA database.
   * @default UTC for `litellm`, `langfuse` and `openrouter`, which write UTC; otherwise such times
   *   are refused
   */
  timezone?: string | undefined
  /** A new file for the rejected rows, unchanged; not created if there are none. */
  rejected?: string | undefined
  /**
   * Import the other rows, however many are rejected.
   * @default false: nothing is imported if more than ten rows, and more than a tenth of all, are
   *   rejected
   */
  allowRejected?: boolean | undefined
  /**
   * Only say what would be done.
   * @default false
   */
  dryRun?: boolean | undefined
  /** Called after each piece of the file, which is read twice. */
  onProgress?: ((progress: ImportProgress) => void) | undefined
}

/** How far an import has come. */
export interface ImportProgress {
  /** `hashing`: the file is compared with what was imported; then it is read; then it is stored. */
  step: 'hashing' | 'reading' | 'storing'
  /** Bytes of the file that were hashed, rows that were read, or segments that were stored. */
  done: number
  /** Null: unknown. */
  total: number | null
}

/** The columns that each source must have, each under one of its names. */
const NEEDED: Readonly<Record<ImportSource, readonly (readonly string[])[]>> = {
  litellm: LITELLM_COLUMNS.map((name) => [name]),
  langfuse: LANGFUSE_COLUMNS,
  openrouter: OPENROUTER_COLUMNS,
  csv: [],
  sqlite: [],
}

/** What may be wrong if a file has none of the columns. */
const HEADER_ADVICE =
  '; does the file lack its header (`CSV HEADER` of psql), or has another program written it?'

/** Whether the columns of a source have the names of fields. */
export function isNamedByFields({ from }: ImportOptions): boolean {
  return from === 'csv' || from === 'sqlite'
}

/** @throws RangeError naming the option that doesn't fit. */
export function checkImportOptions({ from, table, map = {}, set = {}, rejected }: ImportOptions): void {
  if (rejected !== undefined && existsSync(rejected))
    throw new RangeError(`rejected: found a file ${rejected}, expected a new one`)
  if (from === 'sqlite' && table === undefined)
    throw new RangeError("table: found nothing, expected one with 'sqlite'")
  if (from !== 'sqlite' && table !== undefined)
    throw new RangeError(`table: found one with '${from}', expected 'sqlite'`)
  for (const [option, pairs] of [
    ['map', Object.entries(map)],
    ['set', Object.keys(set).map((field) => ['', field] as const)],
  ] as const) {
    const [column = '', unknown] = pairs.find(([, field]) => !isMappable(field)) ?? []
    if (unknown === undefined) continue
    // Whoever writes the field before the column has named the field.
    const advice = isMappable(column) ? `; if '${unknown}' is the column, write ${unknown}=${column}` : ''
    const expected = `expected one of ${MAPPABLE_FIELDS.join(', ')}`
    throw new RangeError(`${option}: found the field '${unknown}', ${expected}${advice}`)
  }
  const twice = Object.values(map).find((field, index, all) => all.indexOf(field) !== index)
  if (twice !== undefined) throw new RangeError(`map: found two columns for '${twice}', expected one`)
}

/** The options that decide what a file becomes, as they are written on the command line. */
export function optionWords({ from, table, map = {}, set = {}, timezone }: ImportOptions): string {
  const words = [`--from ${from}`]
  if (table !== undefined) words.push(`--table ${table}`)
  for (const [column, field] of Object.entries(map).sort()) words.push(`--map '${column}=${field}'`)
  for (const [field, value] of Object.entries(set).sort()) words.push(`--set '${field}=${value}'`)
  if (timezone !== undefined) words.push(`--timezone ${timezone}`)
  return words.join(' ')
}

/** Splits the text of `optionWords` into single options. */
export function optionsIn(words: string): string[] {
  return words.split(/ (?=--(?:table|map|set|timezone) )/)
}

/** Checks the columns of a file. @throws InputError INVALID_CSV */
export function checkSourceColumns(path: string, options: ImportOptions, columns: readonly string[]): void {
  const { from, map = {}, set = {} } = options
  const wrong = (text: string) => new InputError('INVALID_CSV', path, text, { line: 1 })
  const hasAll = (names: readonly string[]) => names.every((name) => columns.includes(name))
  if (from === 'openrouter' && hasAll(OPENROUTER_DAY_COLUMNS)) {
    const found = 'this export has a line for each day and model, not for each request'
    const advice =
      'export the generations; `request-journal reconcile --preset openrouter-activity` compares days'
    throw wrong(`${found}: ${advice}`)
  }
  if (from === 'litellm' && hasAll(LITELLM_DAY_COLUMNS)) {
    const found = 'this answer of /spend/logs has sums of days, not requests'
    throw wrong(`${found}: add \`summarize=false\` to get requests`)
  }
  const needed = NEEDED[from]
  const advice = needed.flat().some((name) => columns.includes(name)) ? '' : HEADER_ADVICE
  for (const names of [...needed, ...Object.keys(map).map((name) => [name])]) {
    if (names.some((name) => columns.includes(name))) continue
    const nearest = nearestName(names[0] ?? '', columns)
    const has = columns.slice(0, 40).map((other) => `'${other}'`)
    const hint = nearest === null ? '' : `; the nearest is '${nearest}'`
    const found = `the column '${names.join("' or '")}' is missing: there are ${has.join(', ')}${hint}`
    throw wrong(needed.includes(names) ? found + advice : found)
  }
  if (!isNamedByFields(options)) return
  const given = new Set([...columnMap(columns, map).values(), ...Object.keys(set)])
  for (const field of ['timestamp', 'model', 'latency_ms']) {
    if (given.has(field)) continue
    const has = columns.map((column) => `'${column}'`).join(', ')
    const constant = field === 'timestamp' ? '' : `, or --set ${field}=… gives the same to each request`
    throw wrong(`found no column for ${field}: --map COLUMN=${field} names it${constant}; there are ${has}`)
  }
}
