import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { crc32, gunzip } from 'node:zlib'
import { isMissing, nodeFileSystem, syncDirectory } from '../../journal/files.js'
import { IDENTITY_FILE, sharedMode } from '../../journal/identity.js'
import { createFile } from '../../journal/new-file.js'
import type { SegmentPosition } from '../../store/positions.js'
import { DEFAULT_SCHEMA } from '../../store/postgres/connection/address.js'
import { JournalCopy } from '../../store/postgres/journal-copy.js'
import { RestoreError } from './errors.js'

const decompress = promisify(gunzip)

/** The permissions of a journal's directory that has to be made. */
const DIRECTORY_MODE = 0o750

export interface RestoreOptions {
  /** The `postgres://` address of the database that holds the journal's bytes. */
  database: string
  /**
   * The schema of the tables.
   * @default 'request_journal'
   */
  schema?: string | undefined
  /** The journal's id, as `journals` has it. */
  journalId: string
  /** The directory to make, or one that is empty. */
  journal: string
  /** Called after each chunk, with the name of its segment. */
  onProgress?: ((progress: { segment: string; bytes: number }) => void) | undefined
}

/** What `restore` prints with `--json`. */
export interface RestoreResult {
  journal_id: string
  /** How many segments were written. Archived ones are plain files again. */
  segments: number
  /** How many bytes they have. */
  bytes: number
}

/**
 * Gives a host that has lost its disk its journal back, byte for byte, from a database that holds
 * it: `journal.json`, the manifest and every segment up to its position. The directory gets its
 * name once all of it is durable, so that a kill leaves nothing that looks like a journal.
 *
 * @throws RestoreError JOURNAL_EXISTS, JOURNAL_UNKNOWN, CHUNKS_MISSING.
 * @throws PostgresError PROJECTOR_RUNNING while a projector writes the journal's rows: then its
 *   host is alive, and two hosts must not go on with one journal.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const { database, schema = DEFAULT_SCHEMA, journalId, onProgress } = options
  const directory = resolve(options.journal)
  checkIsFree(directory)
  const copy = await JournalCopy.open(database, schema, journalId)
  if (copy === null) {
    const advice = 'the ids are those of the table journals, and of each journal.json'
    throw new RestoreError('JOURNAL_UNKNOWN', `${database} has no journal ${journalId}: ${advice}`)
  }
  try {
    const temporary = mkdtempSync(join(dirname(directory), `.${basename(directory)}.restoring-`))
    try {
      likeBefore(temporary, directory)
      const result = await writeJournal(copy, temporary, { journalId, onProgress })
      syncDirectory(nodeFileSystem, temporary)
      checkIsFree(directory)
      // Takes the place of an empty directory, and of nothing else.
      renameSync(temporary, directory)
      syncDirectory(nodeFileSystem, dirname(directory))
      return result
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true })
      throw error
    }
  } finally {
    await copy.close()
  }
}

function checkIsFree(directory: string): void {
  try {
    if (readdirSync(directory).length === 0) return
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  const text = `${directory} isn't empty: a journal is restored into a new directory, so that nothing is overwritten`
  throw new RestoreError('JOURNAL_EXISTS', `${text}; name another one, or move this one away`)
}

/** Gives the new directory the permissions and the owner of the empty one that it replaces. */
function likeBefore(temporary: string, directory: string): void {
  const before = statSync(directory, { throwIfNoEntry: false })
  chmodSync(temporary, (before?.mode ?? DIRECTORY_MODE) & 0o7777)
  const { uid, gid } = before ?? statSync(dirname(directory))
  if (process.geteuid?.() === 0) chownSync(temporary, uid, gid)
}

async function writeJournal(
  copy: JournalCopy,
  directory: string,
  { journalId, onProgress }: Pick<RestoreOptions, 'journalId' | 'onProgress'>,
): Promise<RestoreResult> {
  const files = await copy.files()
  if (!files.some(({ name }) => name === IDENTITY_FILE)) {
    throw missing(journalId, `it has no ${IDENTITY_FILE}`)
  }
  for (const { name, mode, bytes } of files) {
    const fd = createFile(nodeFileSystem, join(directory, name), { mode })
    try {
      writeAll(fd, bytes)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }
  const mode = sharedMode(directory, nodeFileSystem)
  const segments = (await copy.segments()).filter(({ projectedBytes }) => projectedBytes > 0)
  for (const segment of segments) {
    const fd = createFile(nodeFileSystem, join(directory, segment.name), { mode })
    try {
      await writeSegment(copy, fd, segment, { journalId, onProgress })
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }
  const bytes = segments.reduce((sum, { projectedBytes }) => sum + projectedBytes, 0)
  return { journal_id: journalId, segments: segments.length, bytes }
}

async function writeSegment(
  copy: JournalCopy,
  fd: number,
  { id, name, projectedBytes, projectedCrc32 }: SegmentPosition,
  { journalId, onProgress }: Pick<RestoreOptions, 'journalId' | 'onProgress'>,
): Promise<void> {
  let offset = 0
  let checksum = 0
  for await (const chunk of copy.chunks(id)) {
    if (offset === projectedBytes) break
    if (chunk.byteOffset !== offset) throw missing(journalId, `${name} lacks the bytes from ${offset} on`)
    const bytes = await decompress(chunk.bytes)
    writeAll(fd, bytes)
    offset += bytes.length
    checksum = crc32(bytes, checksum)
    onProgress?.({ segment: name, bytes: offset })
  }
  if (offset < projectedBytes) throw missing(journalId, `${name} lacks the bytes from ${offset} on`)
  if (checksum !== projectedCrc32)
    throw missing(journalId, `the bytes of ${name} aren't those that were read`)
}

function missing(journalId: string, found: string): RestoreError {
  const advice =
    'a projector or replay with --no-chunks leaves them out; they have to come from a backup of the journal'
  return new RestoreError('CHUNKS_MISSING', `The journal ${journalId} can't be restored: ${found}; ${advice}`)
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written)
}
