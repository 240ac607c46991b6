import { accessSync, constants, existsSync, lstatSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { MANIFEST_FILE } from '../../journal/chain/manifest.js'
import { reasonOf } from '../../journal/file-system.js'
import { IDENTITY_FILE } from '../../journal/journal-identity.js'
import { fileOf, type Segment } from '../../journal/segments.js'
import { countText } from '../count-text.js'
import { type Finding, note, ok, problem } from './check.js'

const GROUP_WRITES = 0o020
const GROUP_READS = 0o040
const OTHERS_READ = 0o004
const OTHERS_WRITE = 0o002
const OTHERS_ENTER = 0o001
const STICKY = 0o1000

interface Found {
  name: string
  stats: Stats
}

/**
 * Who besides owner and group can reach the journal, whether all its files have one owner, and
 * whether a group that shares the folder may write them.
 *
 * @param databasePath null if the database isn't a file.
 */
export function checkJournalPermissions(
  directory: string,
  segments: readonly Segment[],
  databasePath: string | null,
): Finding[] {
  const files = filesOf(directory, [IDENTITY_FILE, MANIFEST_FILE, ...segments.map(fileOf)])
  const surroundings = [dirname(realpathSync(directory)), ...(databasePath === null ? [] : [databasePath])]
  const owners = checkIsRoots(directory, surroundings)
  const written = new Set([IDENTITY_FILE, ...segments.filter(isPlain).map(fileOf)])
  return [
    checkOthers('journal', directory, files),
    { check: 'owner', ...(owners ?? checkOwners('journal', directory, statSync(directory).uid, files)) },
    ...checkGroup(
      directory,
      files.filter(({ name }) => written.has(name)),
    ),
  ]
}

function isPlain({ state }: Segment): boolean {
  return state === 'plain'
}

/**
 * Whether this user may take the lock of `archive` and `prune`, which another user's run may have
 * made. Only access(2) is called on it.
 */
export function checkJournalLock(directory: string): Finding {
  const lock = `${MANIFEST_FILE}.lock`
  if (!existsSync(join(directory, lock))) return ok('the next archive or prune makes it')
  try {
    accessSync(join(directory, lock), constants.R_OK | constants.W_OK)
    return ok('this user may archive and prune')
  } catch (error) {
    const advice =
      'Run doctor, archive and prune as the user of the projector, or chown the file to that user'
    return problem(`archive and prune can't lock the journal: ${reasonOf(error)}`, advice)
  }
}

/** The same for the database and the files beside it. Only `stat` is called on them. */
export function checkDatabasePermissions(databasePath: string): Finding[] {
  const path = realpathSync(databasePath)
  const directory = dirname(path)
  const name = basename(path)
  const endings = ['', '-wal', '-shm', '.lock', '.pid']
  const files = filesOf(
    directory,
    endings.map((ending) => name + ending),
  )
  const { uid } = files[0]?.stats ?? statSync(directory)
  return [
    checkOthers('database', directory, files),
    { check: 'owner', ...checkOwners('database', directory, uid, files) },
  ]
}

function filesOf(directory: string, names: readonly string[]): Found[] {
  return names.flatMap((name) => {
    const stats = lstatSync(join(directory, name), { throwIfNoEntry: false })
    return stats?.isFile() ? [{ name, stats }] : []
  })
}

function checkOthers(what: string, directory: string, files: readonly Found[]): Finding {
  const { loose, canEnter } = lookUpwards(realpathSync(directory))
  if (loose !== undefined) {
    const found = `${what}: everybody may put files into ${loose}, and so replace what is in it`
    return problem(found, `chmod o-w ${loose}, and check whether anything there isn't yours`)
  }
  const reachable = canEnter ? files : []
  const writable = reachable.filter(({ stats }) => (stats.mode & OTHERS_WRITE) !== 0)
  if (writable.length > 0) {
    return problem(`${what}: everybody may write to it`, `chmod o-rw in ${directory}`, modes(writable))
  }
  const secret = reachable.filter(
    ({ name, stats }) => (stats.mode & OTHERS_READ) !== 0 && !name.endsWith('.pid'),
  )
  if (secret.length > 0) {
    const advice = `chmod o-r in ${directory}, or o-x on the directory, unless it is meant so`
    return note(`${what}: everybody on this machine may read it`, advice, modes(secret))
  }
  return ok(`${what}: closed to others`)
}

/** The first folder upwards in which everybody may rename files, and whether others can get in. */
function lookUpwards(directory: string): { loose: string | undefined; canEnter: boolean } {
  let canEnter = true
  for (let path = directory; ; path = dirname(path)) {
    const { mode } = statSync(path)
    // In a sticky directory such as /tmp, others can only create names that don't exist yet.
    if ((mode & OTHERS_WRITE) !== 0 && ((mode & STICKY) === 0 || path === directory))
      return { loose: path, canEnter }
    if ((mode & OTHERS_ENTER) === 0) canEnter = false
    if (dirname(path) === path) return { loose: undefined, canEnter }
  }
}

/** A journal that belongs to root, among files of another user: root may have copied it there. */
function checkIsRoots(directory: string, surroundings: readonly string[]): Finding | null {
  if (statSync(directory).uid !== 0) return null
  for (const path of surroundings) {
    const uid = statSync(path, { throwIfNoEntry: false })?.uid ?? 0
    if (uid === 0) continue
    const advice = `If root copied it there: chown -R it to the gateway's user and group (\`cp -a\` would have kept them)`
    return note(`journal: it belongs to root, but ${path} to uid ${uid}`, advice)
  }
  return null
}

/** Files that the group of a shared folder may not write, perhaps because a umask applied. */
function checkGroup(directory: string, files: readonly Found[]): Finding[] {
  const folder = statSync(directory)
  if ((folder.mode & GROUP_WRITES) === 0) return []
  const refusing = files.filter(({ stats }) => (stats.mode & GROUP_WRITES) === 0)
  if (refusing.length === 0) return []
  const found = `journal: its folder is open to the group ${folder.gid}, which may not write ${countText(refusing.length, 'file')}`
  const advice = `If users of that group share the journal: chmod -R g+rwX ${directory}. Otherwise chmod g-w the folder`
  return [{ check: 'group', ...note(found, advice, modes(refusing)) }]
}

/** @param uid the owner that the files should have. */
function checkOwners(what: string, directory: string, uid: number, files: readonly Found[]): Finding {
  const folder = statSync(directory)
  // Users that share the folder as a group each own the files that they created.
  const isShared = ({ stats }: Found) =>
    (folder.mode & GROUP_WRITES) !== 0 && stats.gid === folder.gid && (stats.mode & GROUP_READS) !== 0
  const foreign = files.filter((file) => file.stats.uid !== uid && !isShared(file))
  if (foreign.length === 0) return ok(`${what}: everything belongs to uid ${uid}, or to the folder's group`)
  const advice =
    'Run gateways and projector as one user (or share a group with `mode`), and chown these files: running ' +
    'a command once as root leaves such files'
  const found = `${what}: ${countText(foreign.length, 'file')} owned by somebody other than uid ${uid}`
  const items = foreign.map(({ name, stats }) => `${name}: uid ${stats.uid}`)
  return note(found, advice, items)
}

function modes(files: readonly Found[]): string[] {
  return files.map(({ name, stats }) => `${name}: ${(stats.mode & 0o7777).toString(8).padStart(4, '0')}`)
}
