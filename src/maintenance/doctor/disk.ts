import { statfsSync } from 'node:fs'
import { temporaryFolder } from '../../store/sqlite/connection/temporary-folder.js'
import { sizeText } from '../count-text.js'
import { type Finding, note, ok, problem } from './check.js'

const SCARCE_BYTES = 1024 ** 3
const SCARCE_SHARE = 0.05
/** This much is never scarce, however large the disk is. */
const PLENTY_BYTES = 20 * 1024 ** 3
const FULL_BYTES = 100 * 1024 ** 2

/** Network file systems by the f_type of statfs(2), from linux/magic.h and their own headers. */
const NETWORK: Readonly<Record<number, string>> = {
  26985: 'NFS',
  20859: 'SMB',
  4266872130: 'SMB',
  4283649346: 'CIFS',
  1397113167: 'AFS',
  12805120: 'Ceph',
  198183888: 'Lustre',
  16914839: '9p',
  1952539503: 'OCFS2',
  18225520: 'GFS2',
  1196443219: 'GPFS',
}
const FUSE = 0x65735546
const TMPFS = 0x01021994
const RAMFS = 0x858458f6

/** Whether the disk of a directory has space and inodes left. */
export function checkSpace(what: string, directory: string): Finding {
  const { bsize, bavail, blocks, files, ffree } = statfsSync(directory)
  const free = bavail * bsize
  const share = blocks === 0 ? 1 : bavail / blocks
  const found = `${what}: ${sizeText(free)} free (${(share * 100).toFixed(0)} %)`
  const advice =
    'Make room: `request-journal archive` packs old segments, and a full disk makes gateways keep events in memory only'
  if (files > 0 && ffree === 0) return problem(`${found}, but no inodes: no file can be made`, advice)
  if (free < FULL_BYTES) return problem(found, advice)
  const isScarce = free < SCARCE_BYTES || (share < SCARCE_SHARE && free < PLENTY_BYTES)
  return isScarce ? note(found, advice) : ok(found)
}

/** Whether SQLite's temporary files have room: sorting an index takes one as large as the index. */
export function checkTemporaryFiles(databasePath: string): Finding {
  const folder = temporaryFolder(databasePath)
  if (folder === null) {
    const advice = "Let the projector's user write to the database's folder, or set SQLITE_TMPDIR"
    return problem("no folder takes SQLite's temporary files", advice)
  }
  const { bsize, bavail } = statfsSync(folder)
  const found = `SQLite's temporary files go to ${folder}, ${sizeText(bavail * bsize)} free`
  if (bavail * bsize >= FULL_BYTES) return ok(found)
  const advice = 'Make room there, or set SQLITE_TMPDIR to a folder on a larger disk: a replay needs it'
  return problem(found, advice)
}

/**
 * Whether a file system is local: only there are appends atomic, and does SQLite's WAL work.
 *
 * @param type the f_type of statfs(2); only Linux's numbers are known.
 */
export function checkFileSystem(what: string, type: number): Finding {
  const magic = process.platform === 'linux' ? type >>> 0 : 0
  const network = NETWORK[magic]
  if (network !== undefined) {
    const advice =
      what === 'journal'
        ? 'Appends from several hosts damage each other there: give each host a journal on a local disk'
        : "SQLite's WAL needs memory that readers and the writer share: put the database on a local disk"
    return problem(`${what}: on a network file system (${network})`, advice)
  }
  if (magic === FUSE) {
    const advice = 'Make sure that it leads to a local disk: a network share would tear lines'
    return note(`${what}: on a FUSE file system, which may be anything`, advice)
  }
  if (magic === TMPFS || magic === RAMFS) {
    const advice = 'It is gone when the machine restarts: use a directory on a disk'
    return note(`${what}: in memory only (tmpfs)`, advice)
  }
  return ok(`${what}: not a network file system`)
}
