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
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { directoryModeOf } from '../../journal/append/options.js'
import { lastEntries, readManifest } from '../../journal/chain/manifest.js'
import { isMissing, nodeFileSystem, syncDirectory } from '../../journal/file-system.js'
import { IDENTITY_FILE, sharedMode } from '../../journal/journal-identity.js'
import { createFile } from '../../journal/new-file.js'
import type { JournalFile } from '../../store/port.js'
import { DEFAULT_SCHEMA } from '../../store/postgres/connection/address.js'
import { RestoreError } from './errors.js'
import { databaseSource, type JournalSource, shippedSource } from './journal-source.js'
import { segmentsOf, writeSegment } from './restored-segment.js'

export interface RestoreOptions {
  /** The `postgres://` address of a database that holds the journal's bytes. */
  database?: string | undefined
  /** The `s3://` address that `ship` has sent the journal to. One of the two must be given. */
  from?: string | undefined
  /**
   * The schema of the tables.
   * @default 'request_journal'
   */
  schema?: string | undefined
  /** The journal's id, as `journals` has it. */
  journalId: string
  /** The directory to make, or one that is empty. */
  journal: string
  /** Called after each stretch of a segment, with how many of its bytes are written. */
  onProgress?: ((progress: { segment: string; bytes: number }) => void) | undefined
}

/** What `restore` prints with `--json`. */
export interface RestoreResult {
  journal_id: string
  /** How many segments were written. Archived ones are plain files again. */
  segments: number
  /** How many bytes they have. */
  bytes: number
  /**
   * The segments that were sealed and not pruned, but that no source has completely, and from which
   * byte on they are missing.
   */
  missing: { segment: string; from: number }[]
}

/**
 * Gives a host that has lost its disk its journal back, byte for byte, from a database, an object
 * store or both: `journal.json`, the manifest, and every segment as far as one of them has it. The
 * directory gets its name once all of it is durable, so that a kill leaves nothing that looks like
 * a journal.
 *
 * @throws RestoreError JOURNAL_EXISTS, JOURNAL_UNKNOWN, CHUNKS_MISSING.
 * @throws PostgresError PROJECTOR_RUNNING while a projector is writing the journal's rows: then its
 *   host is alive, and two hosts must not continue one journal. An object store doesn't know that.
 * @throws ObjectStoreError STORE_AWAY, STORE_REFUSED, OBJECT_DIFFERS; InputError PACKAGE_MISSING.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const directory = resolve(options.journal)
  checkIsFree(directory)
  const sources: JournalSource[] = []
  try {
    const { database, from, schema = DEFAULT_SCHEMA, journalId } = options
    if (database !== undefined) sources.push(await databaseSource(database, schema, journalId))
    if (from !== undefined) sources.push(await shippedSource(from, journalId))
    if (sources.length === 0)
      throw new TypeError('restore: expected `database`, `from` or both, found neither')
    const temporary = mkdtempSync(join(dirname(directory), `.${basename(directory)}.restoring-`))
    try {
      const result = await writeJournal(sources, temporary, options)
      applyOldPermissions(temporary, directory)
      syncDirectory(nodeFileSystem, temporary)
      checkIsFree(directory)
      // This replaces an empty directory, and nothing else.
      renameSync(temporary, directory)
      syncDirectory(nodeFileSystem, dirname(directory))
      return result
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true })
      throw error
    }
  } finally {
    for (const source of sources) await source.close()
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

/**
 * Gives the new directory the permissions and the owner of the empty one that it replaces, or else
 * the permissions that fit its files and the owner of the directory around it.
 */
function applyOldPermissions(temporary: string, directory: string): void {
  const before = statSync(directory, { throwIfNoEntry: false })
  chmodSync(temporary, (before?.mode ?? directoryModeOf(sharedMode(temporary, nodeFileSystem))) & 0o7777)
  const { uid, gid } = before ?? statSync(dirname(directory))
  if (process.geteuid?.() === 0) chownSync(temporary, uid, gid)
}

async function writeJournal(
  sources: readonly JournalSource[],
  directory: string,
  { journalId, onProgress }: RestoreOptions,
): Promise<RestoreResult> {
  const files = await newestFiles(sources)
  const identity = files.get(IDENTITY_FILE)
  if (identity === undefined) throw missing(sources, journalId, [`there is no ${IDENTITY_FILE}`])
  for (const { name, mode, bytes } of files.values()) {
    await create(join(directory, name), mode, (fd) => writeFileSync(fd, bytes))
  }
  const mode = sharedMode(directory, nodeFileSystem)
  const manifest = readManifest(directory)
  const pruned = lastEntries(manifest, 'pruned')
  const found = (await segmentsOf(sources)).filter(({ segment }) => !pruned.has(segment.name))
  const problems: string[] = []
  const sizes = new Map<string, number>()
  for (const segment of found) {
    const { name } = segment.segment
    const report = (bytes: number) => onProgress?.({ segment: name, bytes })
    const write = (fd: number) => writeSegment(fd, segment, report)
    const written = await create(join(directory, name), mode, write)
    if (typeof written === 'string') problems.push(written)
    else sizes.set(name, written)
  }
  if (problems.length > 0) throw missing(sources, journalId, problems)
  const archived = lastEntries(manifest, 'archived')
  const recorded = [...lastEntries(manifest, 'sealed').values()]
    .filter(({ segment }) => !pruned.has(segment))
    // An archive may hold late lines too.
    .map(({ segment, bytes }) => ({ segment, bytes: Math.max(bytes, archived.get(segment)?.bytes ?? 0) }))
  // No source knows an empty segment, and without its file it would count as gone.
  for (const { segment } of recorded.filter(({ segment, bytes }) => bytes === 0 && !sizes.has(segment))) {
    await create(join(directory, segment), mode, () => {})
    sizes.set(segment, 0)
  }
  const lost = recorded
    .filter(({ segment, bytes }) => (sizes.get(segment) ?? 0) < bytes)
    .map(({ segment }) => ({ segment, from: sizes.get(segment) ?? 0 }))
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  return { journal_id: journalId, segments: sizes.size, bytes, missing: lost }
}

/** Creates a file with what is written to it, and makes that durable. */
async function create<T>(path: string, mode: number, write: (fd: number) => T): Promise<Awaited<T>> {
  const fd = createFile(nodeFileSystem, path, { mode })
  try {
    const written = await write(fd)
    fsyncSync(fd)
    return written
  } finally {
    closeSync(fd)
  }
}

/** The small files, each from the source that has the longest one, since they only grow. */
async function newestFiles(sources: readonly JournalSource[]): Promise<Map<string, JournalFile>> {
  const newest = new Map<string, JournalFile>()
  for (const source of sources) {
    for (const file of await source.files()) {
      if (file.bytes.length > (newest.get(file.name)?.bytes.length ?? -1)) newest.set(file.name, file)
    }
  }
  return newest
}

const MAX_NAMED = 10

function missing(
  sources: readonly JournalSource[],
  journalId: string,
  problems: readonly string[],
): RestoreError {
  const named = problems.slice(0, MAX_NAMED).join('; ')
  const rest = problems.length > MAX_NAMED ? `; and ${problems.length - MAX_NAMED} more` : ''
  const places = sources.map(({ name }) => name).join(' nor ')
  const found = sources.length === 1 ? `in ${places} ${named}` : `neither ${places} has all of it: ${named}`
  const advice = sources.map(({ whyMissing }) => whyMissing).join(', ')
  const text = `The journal ${journalId} can't be restored: ${found}${rest}; ${advice}`
  return new RestoreError(
    'CHUNKS_MISSING',
    `${text}. They have to be taken from another copy: \`ship\` sends segments to an object store, which --from names`,
  )
}
