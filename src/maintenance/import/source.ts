import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { nearestName } from '../../events/nearest-name.js'
import { readCsv } from '../csv.js'
import { InputError } from '../errors.js'
import { fileBytes, unreadableFile } from '../file-bytes.js'
import type { FoundRow } from './imported-row.js'
import { readJsonRows } from './json-rows.js'
import { openTable } from './table-rows.js'

/** Rows of LiteLLM and Langfuse may contain whole conversations. */
const MAX_RECORD_CHARACTERS = 64 * 1024 * 1024

/** A file with such a name is JSON even if its first line is broken. */
const JSON_NAME = /\.(json|jsonl|ndjson)(\.gz)?$/i

/** How much of a file is read to decide whether it is JSON. */
const BEGINNING_BYTES = 4096

/** A source of rows, which can be read again from its beginning. */
export interface Source {
  /**
   * The SHA-256 of all that is read, in hex: the file's bytes, decompressed, or the rows of a
   * table.
   *
   * @param onBytes called with the number of bytes that were just read.
   */
  contentHash(onBytes: (bytes: number) => void): Promise<string>
  /** @throws InputError, with the first row, if columns are missing. */
  rows(): AsyncGenerator<FoundRow>
  /** What comes before the rows: the first line of a CSV file, once a row was read. */
  heading(): string
  close(): void
}

/** Columns that must be there, each under one of its names. */
export type NeededColumns = readonly (string | readonly string[])[]

/**
 * Opens a file, which may be compressed with gzip.
 *
 * @param check throws an error if these can't be the columns of such a source.
 * @param keepsSource whether rows have their text in the file.
 * @throws InputError FILE_UNREADABLE
 */
export async function openFile(
  path: string,
  check: (columns: readonly string[]) => void,
  keepsSource: boolean,
): Promise<Source> {
  checkIsFile(path)
  const beginning = await beginningOf(path)
  const isJson = JSON_NAME.test(path) || /^\s*[[{]/.test(beginning)
  const reading = { path, check, keepsSource }
  let heading = ''
  const onHeading = (text: string) => {
    heading = text
  }
  return {
    contentHash: (onBytes) => hashOf(path, onBytes),
    rows: () => (isJson ? jsonRows(reading, beginning) : csvRows(reading, onHeading)),
    heading: () => heading,
    close() {},
  }
}

/** @throws InputError FILE_UNREADABLE for a pipe, which can't be read twice. */
function checkIsFile(path: string): void {
  let isFile: boolean
  try {
    isFile = statSync(path).isFile()
  } catch (error) {
    throw unreadableFile(path, error)
  }
  if (isFile) return
  const found = "isn't a regular file, and an import reads it twice: write it to a file first"
  throw new InputError('FILE_UNREADABLE', path, found)
}

/** Opens a table of an SQLite database. @throws InputError FILE_UNREADABLE, INVALID_VALUE */
export function openTableOf(
  path: string,
  table: string,
  check: (columns: readonly string[]) => void,
): Source {
  const opened = openTable(path, table)
  check(opened.columns)
  return opened
}

/**
 * @param advice what to add to the message.
 * @throws InputError INVALID_CSV naming the first of the columns that is missing.
 */
export function checkColumns(
  path: string,
  found: readonly string[],
  needed: NeededColumns,
  advice = '',
): void {
  for (const column of needed) {
    const names = typeof column === 'string' ? [column] : column
    if (names.some((name) => found.includes(name))) continue
    const [name = ''] = names
    const nearest = nearestName(name, found)
    const has = found.slice(0, 40).map((other) => `'${other}'`)
    const hint = nearest === null ? '' : `; the nearest is '${nearest}'`
    const text = `the column '${names.join("' or '")}' is missing: there are ${has.join(', ')}${hint}${advice}`
    throw new InputError('INVALID_CSV', path, text, { line: 1 })
  }
}

interface Reading {
  path: string
  check: (columns: readonly string[]) => void
  keepsSource: boolean
}

/** @param onHeading called with the first line as it is. */
async function* csvRows(
  { path, check, keepsSource }: Reading,
  onHeading: (text: string) => void,
): AsyncGenerator<FoundRow> {
  const limits = { isLenient: true, maxRecordCharacters: MAX_RECORD_CHARACTERS, keepsSource }
  let columns: ReadonlySet<string> = new Set()
  const onHeader = (header: readonly string[], source: string) => {
    columns = new Set(header)
    onHeading(source)
    check(header)
  }
  for await (const row of readCsv(path, { required: [], check: onHeader, ...limits })) {
    const get = (column: string) => (columns.has(column) ? row.get(column) : undefined)
    yield { ...row, get, source: () => row.source }
  }
}

async function* jsonRows({ path, check }: Reading, beginning: string): AsyncGenerator<FoundRow> {
  let isChecked = false
  for await (const row of readJsonRows(path, beginning)) {
    if (!isChecked && row.problem === null) {
      check(row.columns)
      isChecked = true
    }
    yield row
  }
}

/** The first characters of a file, without a byte order mark. */
async function beginningOf(path: string): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const chunk of fileBytes(path)) {
    pieces.push(chunk)
    bytes += chunk.length
    if (bytes >= BEGINNING_BYTES) break
  }
  return Buffer.concat(pieces)
    .toString('utf8', 0, BEGINNING_BYTES)
    .replace(/^\uFEFF/, '')
}

async function hashOf(path: string, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of fileBytes(path)) {
    hash.update(chunk)
    onBytes(chunk.length)
  }
  return hash.digest('hex')
}
