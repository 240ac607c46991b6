import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { lastEntries, MANIFEST_FILE, readManifest } from '../../journal/chain/manifest.js'
import { nodeFileSystem, syncDirectory } from '../../journal/file-system.js'
import { readIdentity } from '../../journal/journal-identity.js'
import { importsUnderWay, listSegments, stagedImport } from '../../journal/segments.js'
import { acquireImportLock, acquireJournalLock } from '../../store/sqlite/connection/lock.js'
import { type JournalImport, listImports } from './list-imports.js'

/** How many characters of an id are enough. */
const MIN_ID_CHARACTERS = 8

export interface UndoImportOptions {
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
 * `replay` has rebuilt their database without them.
 *
 * @throws RangeError if there is no such import, or it can't be taken out.
 * @throws JournalError JOURNAL_MISSING, JOURNAL_INVALID, MANIFEST_UNREADABLE; DatabaseError
 *   PROJECTOR_RUNNING while an import, `archive` or `prune` works on this journal.
 */
export function undoImport({ journal, undo, dryRun = false }: UndoImportOptions): UndoResult {
  const directory = resolve(journal)
  readIdentity(directory)
  const found = plan(directory, undo)
  if (dryRun) return resultOf(found, true)
  const importLock = acquireImportLock(directory)
  try {
    const journalLock = acquireJournalLock(directory, 'import')
    try {
      return takeOut(directory, plan(directory, undo))
    } finally {
      journalLock.release()
    }
  } finally {
    importLock.release()
  }
}

interface Plan {
  undone: JournalImport
  /** The hash of the import's first entry, if nothing but its entries follows; otherwise null. */
  firstHash: string | null
}

function resultOf({ undone, firstHash }: Plan, isDry: boolean): UndoResult {
  return { dry_run: isDry, undone, is_manifest_restored: firstHash !== null }
}

function takeOut(directory: string, found: Plan): UndoResult {
  for (const name of found.undone.segments) rmSync(join(directory, `${name}.gz`), { force: true })
  syncDirectory(nodeFileSystem, directory)
  // Cut last, so that a second run can continue as long as the manifest names the segments.
  if (found.firstHash !== null) cutManifest(join(directory, MANIFEST_FILE), found.firstHash)
  return resultOf(found, false)
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
  const isOwn = ({ segment }: { segment: string }) => own.has(segment)
  const first = manifest.entries.findIndex(isOwn)
  if (manifest.entries.slice(first).every(isOwn)) {
    return { undone, firstHash: manifest.entries[first]?.hash ?? null }
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

function importNamed(directory: string, id: string): JournalImport {
  const imports = listImports({ journal: directory })
  const [only, ...others] = imports.filter(({ import_id }) => import_id.startsWith(id))
  if (only !== undefined && others.length === 0 && id.length >= MIN_ID_CHARACTERS) return only
  throw new RangeError(
    `undo: found '${id}', expected the id of an import, or its first ${MIN_ID_CHARACTERS} characters: --list names them`,
  )
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
