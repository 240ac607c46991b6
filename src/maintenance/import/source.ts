import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { nearestName } from '../../events/nearest-name.js'
import { readCsv } from '../csv.js'
import { InputError } from '../errors.js'
import type { SourceRow } from './imported-row.js'
import { readJsonRows } from './json-rows.js'
import { openTable } from './table-rows.js'

/** Rows of LiteLLM and Langfuse may hold whole conversations. */
const MAX_RECORD_CHARACTERS = 64 * 1024 * 1024

/** Where rows come from. It can be read again from its beginning. */
export interface Source {
  /**
   * The SHA-256 of all that is read, in hex: the file's bytes, or the rows of a table.
   *
   * @param onBytes called with how many more bytes were read.
   */
  contentHash(onBytes: (bytes: number) => void): Promise<string>
  /**
   * @throws InputError, at the first step, if the columns aren't there.
   */
  rows(): AsyncGenerator<SourceRow & { problem?: string | null }>
  close(): void
}

/** Columns that must be there, each under one of its names. */
export type NeededColumns = readonly (string | readonly string[])[]

/**
 * Opens a file.
 *
 * @param check throws an error that says why these columns aren't those of the source.
 * @throws InputError FILE_UNREADABLE
 */
export async function openFile(path: string, check: (columns: readonly string[]) => void): Promise<Source> {
  const isJson = /^[[{]/.test((await beginningOf(path)).trimStart())
  return {
    contentHash: (onBytes) => hashOf(path, onBytes),
    rows: () => (isJson ? jsonRows(path, check) : csvRows(path, check)),
    close() {},
  }
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

/** @throws InputError INVALID_CSV naming the first of the columns that is missing. */
export function checkColumns(path: string, found: readonly string[], needed: NeededColumns): void {
  for (const column of needed) {
    const names = typeof column === 'string' ? [column] : column
    if (names.some((name) => found.includes(name))) continue
    const [name = ''] = names
    const nearest = nearestName(name, found)
    const has = found.slice(0, 40).map((other) => `'${other}'`)
    const hint = nearest === null ? '' : `; the nearest is '${nearest}'`
    const text = `the column '${names.join("' or '")}' is missing: there are ${has.join(', ')}${hint}`
    throw new InputError('INVALID_CSV', path, text, { line: 1 })
  }
}

async function* csvRows(
  path: string,
  check: (columns: readonly string[]) => void,
): AsyncGenerator<SourceRow> {
  const limits = { isLenient: true, maxRecordCharacters: MAX_RECORD_CHARACTERS }
  let columns: ReadonlySet<string> = new Set()
  const onHeader = (header: readonly string[]) => {
    columns = new Set(header)
    check(header)
  }
  for await (const row of readCsv(path, { required: [], check: onHeader, ...limits })) {
    yield { ...row, get: (column) => (columns.has(column) ? row.get(column) : undefined) }
  }
}

async function* jsonRows(
  path: string,
  check: (columns: readonly string[]) => void,
): AsyncGenerator<SourceRow> {
  let isChecked = false
  for await (const row of readJsonRows(path)) {
    if (!isChecked && row.problem === null) {
      check(row.columns)
      isChecked = true
    }
    yield row
  }
}

async function beginningOf(path: string): Promise<string> {
  try {
    for await (const chunk of createReadStream(path, { end: 4095 })) {
      return (chunk as Buffer).toString('utf8').replace(/^\uFEFF/, '')
    }
    return ''
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function hashOf(path: string, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      hash.update(chunk as Buffer)
      onBytes((chunk as Buffer).length)
    }
  } catch (error) {
    throw unreadable(path, error)
  }
  return hash.digest('hex')
}

function unreadable(path: string, error: unknown): InputError {
  const found = `can't be read (${error instanceof Error ? error.message : String(error)})`
  return new InputError('FILE_UNREADABLE', path, found, { cause: error })
}
