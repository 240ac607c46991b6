import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { JournalError } from './errors.js'
import {
  errorCode,
  type FileSystem,
  isMissing,
  nodeFileSystem,
  ownerAdvice,
  readSmallFile,
  reasonOf,
  syncDirectory,
} from './file-system.js'
import { createDirectory, createFile } from './new-file.js'
import { listSegments } from './segments.js'

/** The content of `journal.json`. */
export interface JournalIdentity {
  /** The journal format: 1. */
  format: number
  /** A UUID, by which databases and writers recognize the journal wherever it's moved. */
  journal_id: string
  /** When the journal was created: UTC, RFC 3339 with milliseconds. */
  created_at: string
}

const FORMAT = 1
export const IDENTITY_FILE = 'journal.json'

/** A journal.json has about 110 bytes. Later versions may add members. */
const MAX_IDENTITY_BYTES = 64 * 1024

/**
 * Reads a journal's identity.
 *
 * @throws JournalError JOURNAL_MISSING if there is no journal; JOURNAL_INVALID if journal.json
 *   can't be used or is gone from a directory with segments, or if the path isn't a directory;
 *   SEGMENT_UNREADABLE if the directory can't be listed.
 */
export function readIdentity(directory: string, fs: FileSystem = nodeFileSystem): JournalIdentity {
  const path = join(directory, IDENTITY_FILE)
  const found = readIfThere(path, fs)
  if (found !== null) return found
  if (listSegments(directory, fs).length > 0) {
    // Look again: a first writer that is starting right now links journal.json before it creates a
    // segment.
    const late = readIfThere(path, fs)
    if (late !== null) return late
    const found = `${path} is gone, but there are segments: bring it back from a backup (that file says which journal this is)`
    const remedy =
      'if the directory never had one, move the segments out, run `request-journal init`, and move them back'
    const text = `${found}; ${remedy}`
    // Callers tell this from damage by the cause: a journal that is still being copied looks like
    // this too.
    const cause = Object.assign(new Error(`${path} was not found`), { code: 'ENOENT' })
    throw new JournalError('JOURNAL_INVALID', path, text, { cause })
  }
  checkIsDirectory(directory, fs)
  const text = `There is no journal in ${directory}: journal.json was not found. The first writer creates one`
  throw new JournalError('JOURNAL_MISSING', path, `${text}; check --journal.`)
}

/**
 * Checks that a journal's path is a directory or doesn't exist yet.
 *
 * @throws JournalError JOURNAL_INVALID if it's anything else, in which no journal can ever be
 *   created.
 */
export function checkIsDirectory(directory: string, fs: FileSystem = nodeFileSystem): void {
  try {
    if (fs.statSync(directory).isDirectory()) return
  } catch {
    // It doesn't exist or can't be examined. Opening a file in it will give the reason.
    return
  }
  const text = `${directory} isn't a directory: expected the directory that the journal is in or will be created in; check the path.`
  throw new JournalError('JOURNAL_INVALID', directory, text)
}

/** @throws JournalError JOURNAL_INVALID if the directory now holds another journal, or none. */
export function assertIdentity(directory: string, journalId: string, fs: FileSystem): void {
  const found = readIfThere(join(directory, IDENTITY_FILE), fs)
  if (found?.journal_id === journalId) return
  const what = found === null ? 'no longer holds a journal' : `now holds another journal, ${found.journal_id}`
  const text = `${directory} ${what}, but this writer opened ${journalId}. Put ${journalId} back, or open the directory again`
  throw new JournalError('JOURNAL_INVALID', directory, text)
}

/**
 * Reads a journal's identity, after creating the journal and its directory if they don't exist.
 * Several first writers that start at once agree on one identity: each completes and syncs a file
 * of its own before it links that into place, and only one link can succeed.
 *
 * @throws JournalError like `readIdentity`; JOURNAL_UNWRITABLE if the journal can't be created.
 */
export function readOrCreateIdentity(
  directory: string,
  modes: { file: number; directory: number },
  now: number,
  fs: FileSystem,
): JournalIdentity {
  try {
    return readIdentity(directory, fs)
  } catch (error) {
    if (!(error instanceof JournalError && error.code === 'JOURNAL_MISSING')) throw error
  }
  try {
    createDirectories(directory, modes.directory, fs)
    createIdentity(directory, modes.file, now, fs)
  } catch (error) {
    const text = `Can't create a journal in ${directory}: ${reasonOf(error)}. ${creationAdvice(error)}`
    throw new JournalError('JOURNAL_UNWRITABLE', directory, text, { cause: error })
  }
  return readIdentity(directory, fs)
}

/**
 * The permissions of new files in an existing journal: for its owner, and for the group if it may
 * use journal.json. A journal.json that is open to others was probably copied under some umask, so
 * its mode doesn't say who should have access.
 */
export function sharedMode(directory: string, fs: FileSystem): number {
  const mode = fs.statSync(join(directory, IDENTITY_FILE), { throwIfNoEntry: false })?.mode ?? 0
  return 0o600 | ((mode & 0o007) === 0 ? mode & 0o060 : 0)
}

function creationAdvice(error: unknown): string {
  const { syscall } = error as NodeJS.ErrnoException
  const code = errorCode(error) ?? ''
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'Make room on that disk'
  if (code === 'EMFILE' || code === 'ENFILE')
    return 'Raise the limit of open files (ulimit -n), or close some'
  if (code === 'EIO') return 'The disk is failing: see dmesg'
  if (code === 'EROFS') {
    return 'The file system is read-only: mount it writable, or, in a systemd unit, add the directory to ReadWritePaths='
  }
  // FAT, exFAT and some FUSE and network file systems; the error's code differs between them.
  if (syscall === 'link') {
    return 'Its file system refuses hard links, which a journal needs: choose a directory on a local Linux file system, such as ext4 or xfs'
  }
  if (syscall === 'chmod' || syscall === 'fchmod') {
    return 'Its file system refuses to set permissions: choose a directory on a local Linux file system, such as ext4 or xfs, or one that this user owns'
  }
  return 'Choose a directory that this user can write to'
}

/**
 * Creates the missing directories of a path and makes each durable, so that a power cut can't lose
 * one of them.
 */
function createDirectories(directory: string, mode: number, fs: FileSystem): void {
  const isAbsent = (path: string) => fs.statSync(path, { throwIfNoEntry: false }) === undefined
  const absent: string[] = []
  for (let path = directory; isAbsent(path); path = dirname(path)) absent.unshift(path)
  for (const path of absent) {
    try {
      createDirectory(fs, path, mode)
    } catch (error) {
      // Another first writer has created it.
      if (errorCode(error) === 'EEXIST') continue
      throw error
    }
    syncDirectory(fs, dirname(path))
  }
}

function createIdentity(directory: string, mode: number, now: number, fs: FileSystem): void {
  const identity = { format: FORMAT, journal_id: randomUUID(), created_at: new Date(now).toISOString() }
  const temporary = join(directory, `.journal-${process.pid}-${identity.journal_id}.tmp`)
  const fd = createFile(fs, temporary, { mode })
  try {
    const text = `${JSON.stringify(identity)}\n`
    if (fs.writeSync(fd, text) !== Buffer.byteLength(text)) throw new Error('short write of journal.json')
    fs.fsyncSync(fd)
    fs.linkSync(temporary, join(directory, IDENTITY_FILE))
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  } finally {
    fs.closeSync(fd)
    fs.unlinkSync(temporary)
  }
  syncDirectory(fs, directory)
  syncDirectory(fs, dirname(directory))
}

function readIfThere(path: string, fs: FileSystem): JournalIdentity | null {
  let text: string
  try {
    text = readSmallFile(path, MAX_IDENTITY_BYTES, fs)
  } catch (error) {
    if (isMissing(error)) return null
    const text = `Can't read ${path}: ${reasonOf(error)}${ownerAdvice(error)}`
    throw new JournalError('JOURNAL_INVALID', path, text, { cause: error })
  }
  return parseIdentity(text, path)
}

function parseIdentity(text: string, path: string): JournalIdentity {
  let identity: Partial<JournalIdentity> | null = null
  let cause: unknown
  try {
    identity = JSON.parse(text)
  } catch (error) {
    // Reported below, like everything else that isn't an identity.
    cause = error
  }
  if (
    typeof identity?.journal_id !== 'string' ||
    identity.journal_id === '' ||
    typeof identity.format !== 'number'
  ) {
    const message = `${path} is damaged: expected {"format":1,"journal_id":…,"created_at":…}. Bring it back from a backup`
    throw new JournalError('JOURNAL_INVALID', path, message, { cause })
  }
  if (identity.format !== FORMAT) {
    const message = `${path} has format ${identity.format}, but this program reads format ${FORMAT}: upgrade request-journal`
    throw new JournalError('JOURNAL_INVALID', path, message)
  }
  return { format: FORMAT, journal_id: identity.journal_id, created_at: String(identity.created_at) }
}
