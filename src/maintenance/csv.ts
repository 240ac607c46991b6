import { pipeline, Readable } from 'node:stream'
import type { CsvError } from 'csv-parse'
import { nearestName } from '../events/nearest-name.js'
import { InputError } from './errors.js'
import { fileBytes } from './file-bytes.js'

/** One record of a CSV file. */
export interface CsvRow {
  /** The line on which the record begins, from 1; the header is on line 1. */
  line: number
  /** The value of a column, without spaces around it; empty if there is none. */
  get(column: string): string
  /** Why the record can't be used; only with `isLenient`. */
  problem: string | null
  /** The text of the record in the file, including its line break; empty without `keepsSource`. */
  source: string
}

export interface CsvColumns {
  /** The columns that must be there. */
  required: readonly string[]
  /** The other columns that may be there. Without it any may be there, and is ignored. */
  optional?: readonly string[] | undefined
  /** Checks the header further. If it throws, reading ends with that error. */
  check?: ((header: readonly string[], source: string) => void) | undefined
  /**
   * Whether a record that has another number of fields than the header is returned with its
   * problem, so that the others can be used.
   *
   * @default false: the file is refused
   */
  isLenient?: boolean | undefined
  /** Whether rows have their text in the file. @default false */
  keepsSource?: boolean | undefined
  /** @default 1 Mi: a record is a few numbers and names */
  maxRecordCharacters?: number | undefined
}

/**
 * A limit for a quote that is never closed, after which the rest of the file would be one field.
 */
const MAX_RECORD_CHARACTERS = 1 << 20

/** Separators that other programs write where commas are expected. */
const OTHER_SEPARATORS = { ';': 'semicolons', '\t': 'tabs', '|': 'vertical bars' }

/**
 * Reads a CSV file with a header, one record at a time, so that it may be of any size. Blank lines
 * are skipped, and so is a byte order mark. The file may be compressed with gzip.
 *
 * @throws InputError FILE_UNREADABLE, INVALID_CSV, when reading reaches the place.
 */
export async function* readCsv(path: string, expected: CsvColumns): AsyncGenerator<CsvRow, void, undefined> {
  const { parse } = await import('csv-parse')
  const options = { info: true, relax_column_count: true, trim: true }
  const { maxRecordCharacters = MAX_RECORD_CHARACTERS, isLenient = false, keepsSource = false } = expected
  const parser = parse({ ...options, raw: keepsSource, max_record_size: maxRecordCharacters })
  // Once one of the two ends or fails, `pipeline` ends the other.
  pipeline(Readable.from(textOf(path)), parser, () => {})
  let header: ReadonlyMap<string, number> | null = null
  let lastLine = 0
  try {
    for await (const { record, info, raw = '' } of parser as AsyncIterable<ParsedRecord>) {
      const line = Math.min(lastLine + 1, info.lines)
      lastLine = info.lines
      // The parser would skip blank lines too, but then the next record's line isn't known.
      if (record.length === 1 && record[0] === '') continue
      if (header === null) {
        header = columnIndexes(path, record, expected)
        expected.check?.(record, raw)
        continue
      }
      const problem = record.length === header.size ? null : wrongLength(record, header.size)
      if (problem !== null && !isLenient) throw new InputError('INVALID_CSV', path, problem, { line })
      const indexes = header
      yield { line, problem, source: raw, get: (column) => record[indexes.get(column) ?? -1] ?? '' }
    }
  } catch (error) {
    throw asInputError(error, path, lastLine + 1)
  }
  if (header === null) throw new InputError('INVALID_CSV', path, 'the file is empty: expected a header')
}

interface ParsedRecord {
  record: string[]
  info: { lines: number }
  /** Only with the parser's option `raw`. */
  raw?: string
}

/** Reads a file as text; its first line is checked for another separator before it is parsed. */
async function* textOf(path: string): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let beginning: string | null = ''
  for await (const chunk of fileBytes(path)) {
    const text = decoder.decode(chunk, { stream: true })
    if (beginning === null) {
      yield text
      continue
    }
    beginning += text
    if (!/[\r\n]/.test(beginning) && beginning.length < MAX_RECORD_CHARACTERS) continue
    checkSeparator(path, beginning)
    yield beginning
    beginning = null
  }
  const rest = decoder.decode()
  if (beginning !== null) checkSeparator(path, beginning + rest)
  yield (beginning ?? '') + rest
}

function checkSeparator(path: string, beginning: string): void {
  const header = (/^[^\r\n]*/.exec(beginning)?.[0] ?? '').replaceAll(/"[^"]*"/g, '')
  const count = (separator: string) => header.split(separator).length - 1
  for (const [separator, name] of Object.entries(OTHER_SEPARATORS)) {
    if (count(separator) <= count(',')) continue
    const found = `the header separates its columns by ${name}, expected commas`
    throw new InputError('INVALID_CSV', path, `${found}: save the file with commas`, { line: 1 })
  }
}

function columnIndexes(
  path: string,
  header: readonly string[],
  { required, optional }: CsvColumns,
): ReadonlyMap<string, number> {
  const wrong = (found: string) => new InputError('INVALID_CSV', path, found, { line: 1 })
  const indexes = new Map<string, number>()
  for (const [index, column] of header.entries()) {
    if (indexes.has(column)) throw wrong(`the header has the column '${column}' twice`)
    indexes.set(column, index)
  }
  for (const column of required) {
    if (indexes.has(column)) continue
    const found = `the column '${column}' is missing: the header has ${quoted(header)}`
    const nearest = nearestName(column, header)
    throw wrong(nearest === null ? found : `${found}; the nearest is '${nearest}'`)
  }
  if (optional === undefined) return indexes
  const known = [...required, ...optional]
  for (const column of header) {
    if (known.includes(column)) continue
    throw wrong(`the column '${column}' isn't known: expected only ${quoted(known)}`)
  }
  return indexes
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ')
}

function wrongLength(record: readonly string[], expected: number): string {
  const found = `found ${record.length} fields, expected ${expected} as in the header`
  const advice =
    record.length > expected
      ? '; does it have a number with commas, or a text with a comma and no quotes around it?'
      : ''
  return `${found}${advice}`
}

/** @param start the line on which the unreadable record begins. */
function asInputError(error: unknown, path: string, start: number): unknown {
  if (error instanceof InputError || !(error instanceof Error)) return error
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
    const found = "the file isn't UTF-8: save it as CSV in UTF-8"
    return new InputError('FILE_UNREADABLE', path, found, { cause: error })
  }
  if (code !== 'INVALID_OPENING_QUOTE' && !code?.startsWith('CSV_')) return error
  const { lines } = error as CsvError & { lines?: number }
  const isOpen = code === 'CSV_MAX_RECORD_SIZE' || code === 'CSV_QUOTE_NOT_CLOSED'
  if (!isOpen)
    return new InputError('INVALID_CSV', path, error.message, { line: lines ?? null, cause: error })
  const found = 'a quote is never closed: is the file cut off, or is a quote within a text not doubled?'
  return new InputError('INVALID_CSV', path, found, { line: start, cause: error })
}
