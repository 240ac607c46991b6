import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { lastEntries, MANIFEST_FILE, type Manifest, readManifest } from '../../journal/chain/manifest.js'
import { nodeFileSystem, syncDirectory } from '../../journal/file-system.js'
import { readIdentity } from '../../journal/journal-identity.js'
import { importsUnderWay, listSegments, stagedImport } from '../../journal/segments.js'
import {
  DEFAULT_SCHEMA,
  isPostgresAddress,
  postgresAddress,
} from '../../store/postgres/connection/address.js'
import { PostgresError } from '../../store/postgres/connection/errors.js'
import { DatabaseError } from '../../store/sqlite/connection/errors.js'
import {
  acquireDatabaseLock,
  acquireImportLock,
  acquireJournalLock,
  type Lock,
} from '../../store/sqlite/connection/lock.js'
import { countText } from '../count-text.js'
import { type DatabaseLocation, readFrom } from '../database-location.js'
import { JournalTables } from '../journal-tables.js'
import { isProjected } from '../other-journals.js'
import { type JournalImport, listImports } from './list-imports.js'

/** How many characters of an id are enough. */
const MIN_ID_CHARACTERS = 8
/** How many imports are named if the one that is asked for isn't there. */
const NAMED_IMPORTS = 5

export interface UndoImportOptions extends Partial<DatabaseLocation> {
  /** The journal's directory. */
  journal: string
  /** The import's id, or at least its first eight characters. */
  undo: string
  /**
   * Only say what would be done.
   * @default false
   */
  dryRun?: boolean | undefined
}

/** What `import --undo` prints with `--json`. */
export interface UndoResult {
  dry_run: boolean
  /** The import as it was. */
  undone: JournalImport
  /**
   * Whether the manifest is as it was before the import. Otherwise it has later entries, and still
   * names the segments.
   */
  is_manifest_restored: boolean
}

/**
 * Takes an import out of a journal: removes its segments, and its entries too if they are the
 * manifest's last ones. The same file can be imported again then. After a kill, run it again.
 * Nothing else may be working on the journal. Projectors stop at segments that are gone, until
 * `replay` has rebuilt their database without them: so nothing is taken out while one works on the
 * database that is named.
 *
 * @throws RangeError if there is no such import, or it can't be taken out.
 * @throws JournalError JOURNAL_MISSING, JOURNAL_INVALID, MANIFEST_UNREADABLE; DatabaseError
 *   PROJECTOR_RUNNING while an import, `archive` or `prune` works on this journal, or a projector
 *   on the database; PostgresError.
 */
export function undoImport({
  journal,
  undo,
  dryRun = false,
  database,
  schema,
}: UndoImportOptions): UndoResult {
  const directory = resolve(journal)
  const { journal_id } = readIdentity(directory)
  const result = ({ undone, firstHash }: Plan): UndoResult => ({
    dry_run: dryRun,
    undone,
    is_manifest_restored: firstHash !== null,
  })
  const found = plan(directory, undo)
  if (dryRun) return result(found)
  const locks: (Lock | null)[] = []
  try {
    if (database !== undefined) locks.push(keepProjectorsOut(journal_id, { database, schema }))
    locks.push(acquireImportLock(directory))
    locks.push(acquireJournalLock(directory, 'import'))
    const locked = plan(directory, undo)
    takeOut(directory, locked)
    return result(locked)
  } finally {
    for (const lock of locks.reverse()) lock?.release()
  }
}

/**
 * Keeps projectors of a journal out of a database until the lock is released. Null: there is no
 * such file, another journal is projected into it, or it is in PostgreSQL, where no projector runs.
 *
 * @throws DatabaseError PROJECTOR_RUNNING; PostgresError PROJECTOR_RUNNING, …
 */
function keepProjectorsOut(journalId: string, location: DatabaseLocation): Lock | null {
  const { database, schema = DEFAULT_SCHEMA } = location
  if (isPostgresAddress(database)) {
    const isRunning = readFrom(location, (opened) =>
      isProjected(opened, schema, new JournalTables(opened, journalId).number ?? 0),
    )
    if (isRunning !== true) return null
    const found = 'a projector or a replay is writing the rows of this journal: stop it first'
    throw new PostgresError('PROJECTOR_RUNNING', postgresAddress(database).name, found)
  }
  try {
    return acquireDatabaseLock(resolve(database), 'import')
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    if (error.code === 'DATABASE_MISSING') return null
    if (error.code === 'PROJECTOR_RUNNING' && isOfOther(journalId, location)) return null
    throw error
  }
}

/** Whether another journal is projected into a file. */
function isOfOther(journalId: string, location: DatabaseLocation): boolean {
  return readFrom(location, (opened) =>
    new JournalTables(opened, journalId)
      .knownSegments()
      .positions.some((position) => position.journalId !== journalId),
  )
}

interface Plan {
  undone: JournalImport
  /** The hash of the import's first entry, if nothing but its entries follows; otherwise null. */
  firstHash: string | null
}

function takeOut(directory: string, { undone, firstHash }: Plan): void {
  for (const name of undone.segments) rmSync(join(directory, `${name}.gz`), { force: true })
  syncDirectory(nodeFileSystem, directory)
  // Cut last, so that a second run can continue as long as the manifest names the segments.
  if (firstHash !== null) cutManifest(join(directory, MANIFEST_FILE), firstHash)
}

/** @throws RangeError */
function plan(directory: string, id: string): Plan {
  const undone = importNamed(directory, id)
  const { import_id, segments } = undone
  if (importsUnderWay(directory).staged.includes(stagedImport(import_id))) {
    throw new RangeError(
      `undo: found import ${import_id} unfinished, expected a finished one: import its file again`,
    )
  }
  const own = new Set(segments)
  const manifest = readManifest(directory)
  if (manifest.problems.length > 0)
    throw new RangeError('undo: found a broken manifest: see `request-journal verify`')
  if ([...lastEntries(manifest, 'pruned').keys()].some((name) => own.has(name))) {
    throw new RangeError(
      'undo: found an import that `prune` has removed a part of, expected a whole one: it may remove the rest too',
    )
  }
  checkAreAsImported(directory, manifest, segments)
  const isOwn = ({ segment }: { segment: string }) => own.has(segment)
  const first = manifest.entries.findIndex(isOwn)
  if (manifest.entries.slice(first).every(isOwn)) {
    return { undone, firstHash: manifest.entries[first]?.hash ?? null }
  }
  if (undone.segments_gone === segments.length) {
    throw new RangeError(
      `undo: found import ${import_id}, whose segments are gone already, expected one that is there: ${namesOf(directory)}`,
    )
  }
  // Otherwise a writer would take the number of a segment that the manifest still names.
  const [newest] = [...segments].sort().reverse()
  if (!listSegments(directory).some(({ name }) => newest !== undefined && name > newest)) {
    throw new RangeError(
      'undo: found later entries in the manifest and no later segment: append an event first, so that no writer takes the numbers of this import',
    )
  }
  return { undone, firstHash: null }
}

/**
 * Checks that the archives of an import are all that there is of its segments, and hold nothing
 * else. `restore` makes plain files of them, to which writers may append: such a file would stay,
 * and an archive that was made of it would take the lines of those writers with it.
 *
 * @throws RangeError
 */
function checkAreAsImported(directory: string, manifest: Manifest, names: readonly string[]): void {
  const [sealed, archived] = [lastEntries(manifest, 'sealed'), lastEntries(manifest, 'archived')]
  const states = new Map(listSegments(directory).map(({ name, state }) => [name, state]))
  for (const name of names) {
    const [imported, all] = [sealed.get(name)?.bytes ?? 0, archived.get(name)?.bytes ?? 0]
    if (all !== imported) {
      throw new RangeError(
        `undo: found ${all - imported} bytes in ${name} that were appended after the import, expected none: they are no part of it, and would be lost`,
      )
    }
    if ((states.get(name) ?? 'archived') !== 'archived') {
      throw new RangeError(
        `undo: found ${name} as a plain file, as \`restore\` makes it, expected its archive: run \`request-journal archive\` first`,
      )
    }
  }
}

function importNamed(directory: string, id: string): JournalImport {
  const imports = listImports({ journal: directory })
  const [only, ...others] = imports.filter(({ import_id }) => import_id.startsWith(id))
  if (only !== undefined && others.length === 0 && id.length >= MIN_ID_CHARACTERS) return only
  throw new RangeError(
    `undo: found '${id}', expected the id of an import that is there, or its first ${MIN_ID_CHARACTERS} characters: ${namesOf(directory)}`,
  )
}

/** Names the imports that are in a journal, for a message. */
function namesOf(directory: string): string {
  const there = listImports({ journal: directory }).filter((it) => it.segments_gone < it.segments.length)
  if (there.length === 0) return 'no import is there any more'
  const named = there
    .slice(-NAMED_IMPORTS)
    .map(
      ({ import_id, file }) =>
        `${import_id.slice(0, MIN_ID_CHARACTERS)} of ${file ?? 'a file without a name'}`,
    )
  const more = there.length - named.length
  return `${named.join(', ')}${more === 0 ? '' : `, and ${countText(more, 'earlier one')}: --list names all`}`
}

/** Cuts the manifest off before the entry with this hash. */
function cutManifest(path: string, hash: string): void {
  const bytes = readFileSync(path)
  const at = bytes.indexOf(`"hash":"${hash}"`)
  if (at === -1) throw new Error(`unreachable: no entry of ${path} has the hash ${hash}`)
  const start = bytes.lastIndexOf('\n', at) + 1
  const fd = openSync(path, 'r+')
  try {
    ftruncateSync(fd, start)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
