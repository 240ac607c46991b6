import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { readCsv } from '../csv.js'
import { InputError } from '../errors.js'
import { fileBytes, unreadableFile } from '../file-bytes.js'
import type { FoundRow } from './imported-row.js'
import { readJsonRows } from './json-rows.js'

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

/**
 * Opens a file, which may be compressed with gzip.
 *
 * @param check throws an error if these can't be the columns of such a source.
 * @param keepsSource whether rows have their text in the file.
 * @throws InputError FILE_UNREADABLE, for a pipe too, since it can't be read twice.
 */
export async function openFile(
  path: string,
  check: (columns: readonly string[]) => void,
  keepsSource: boolean,
): Promise<Source> {
  const stats = await stat(path).catch((error: unknown) => {
    throw unreadableFile(path, error)
  })
  if (!stats.isFile()) {
    const found = "isn't a regular file, and an import reads it twice: write it to a file first"
    throw new InputError('FILE_UNREADABLE', path, found)
  }
  const beginning = await beginningOf(path)
  const isJson = JSON_NAME.test(path) || /^\s*[[{]/.test(beginning)
  let heading = ''
  const onHeader = (columns: readonly string[], text: string) => {
    heading = text
    check(columns)
  }
  return {
    contentHash: (onBytes) => hashOf(path, onBytes),
    rows: () => (isJson ? readJsonRows(path, beginning, check) : csvRows(path, onHeader, keepsSource)),
    heading: () => heading,
    close() {},
  }
}

async function* csvRows(
  path: string,
  check: (columns: readonly string[], text: string) => void,
  keepsSource: boolean,
): AsyncGenerator<FoundRow> {
  const limits = { isLenient: true, maxRecordCharacters: MAX_RECORD_CHARACTERS, keepsSource }
  for await (const row of readCsv(path, { required: [], check, ...limits })) {
    yield { ...row, source: () => row.source }
  }
}

/** The first characters of a file, without a byte order mark. */
async function beginningOf(path: string): Promise<string> {
  for await (const chunk of fileBytes(path)) {
    return chunk.toString('utf8', 0, BEGINNING_BYTES).replace(/^\uFEFF/, '')
  }
  return ''
}

async function hashOf(path: string, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of fileBytes(path)) {
    hash.update(chunk)
    onBytes(chunk.length)
  }
  return hash.digest('hex')
}
