import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, fstatSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { endFragmentOf } from '../journal/append/segment-writer.js'
import type { EntryOf, ManifestFile } from '../journal/chain/manifest.js'
import { type SegmentDigest, SegmentDigester } from '../journal/chain/segment-digest.js'
import { nodeFileSystem, syncDirectory } from '../journal/file-system.js'
import { createFile } from '../journal/new-file.js'
import { openForReading } from '../journal/read/segment-source.js'
import { archiveFile, leavingFile, type SegmentRef } from '../journal/segments.js'

/** The ending of the file name under which an archive is written. */
const TEMPORARY = '.gz.tmp'

/** How often a segment is archived again for late writers before it is left to the next run. */
const MAX_ROUNDS = 5

/** The steps of archiving a segment. Tests get a call at each, and end the process there. */
export type ArchiveStep = 'written' | 'compared' | 'recorded' | 'named' | 'left' | 'settled' | 'removed'

export interface ArchiverOptions {
  directory: string
  manifest: ManifestFile
  /** How long late writers get to notice that the segment was renamed. */
  noticeMs: number
  onStep(step: ArchiveStep, segment: SegmentRef): void
}

/**
 * Begins to turn a plain segment into an archive: makes the archive, and renames the plain file.
 * At every instant all of its lines are in one file that readers find, and the next run continues
 * one that was killed:
 *
 * | plain | .gz.tmp | .gz | .gone | killed after | readers use | the next run |
 * |---|---|---|---|---|---|---|
 * | yes | any | no | no | nothing, written, compared, recorded | plain | removes .gz.tmp, begins again; a second entry counts |
 * | yes | no | yes | no | named | plain | the same, renames over .gz |
 * | no | any | yes | yes | left, and a new round's written to recorded | .gone | compares .gz with .gone by size and hash; a new round, or removes .gone |
 * | no | no | yes | yes | settled | .gone | the same |
 * | no | no | yes | no | removed | .gz | nothing is left to do |
 *
 * `.gone` is the plain file itself, renamed: a writer that has it open still appends to it, and
 * what it appends is projected from there, with positions that stay valid. Writers check each
 * second whether their path is still theirs. The file is removed only when none of them has added
 * anything for longer than that, and the archive holds what was added before. No new writer can
 * join them, because writers open only the newest segment, and that one isn't archived.
 *
 * @param size the size of the plain file, all of it projected.
 * @param beginning what its first bytes must be.
 * @returns false if they are something else; then nothing was changed.
 */
export async function beginArchive(
  options: ArchiverOptions,
  segment: SegmentRef,
  size: number,
  beginning: SegmentDigest,
): Promise<boolean> {
  const { directory, onStep } = options
  if ((await makeArchive(options, segment, segment.name, size, beginning)) === null) return false
  renameSync(join(directory, segment.name), join(directory, leavingFile(segment)))
  syncDirectory(nodeFileSystem, directory)
  onStep('left', segment)
  return true
}

/**
 * Removes the plain file, once the archive holds all of it. Call it when writers have had time to
 * notice.
 *
 * @param known the manifest's last entry about this segment.
 * @returns what the archive holds, or why the plain file stays: it isn't what was recorded, or
 *   writers don't stop adding lines, and the next run continues.
 */
export async function finishArchive(
  options: ArchiverOptions,
  segment: SegmentRef,
  known: EntryOf<'archived'> | null,
  sealed: SegmentDigest,
): Promise<EntryOf<'archived'> | 'altered' | 'still_written'> {
  const { directory, noticeMs, onStep } = options
  const file = leavingFile(segment)
  let entry = known
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    // Ends an unfinished last line, as a writer that moves on does. Otherwise it would never be
    // projected.
    endFragmentOf(nodeFileSystem, directory, { ...segment, name: file })
    const { size } = statSync(join(directory, file))
    if (entry !== null && size === entry.bytes && (await isInPlace(directory, segment, entry))) {
      onStep('settled', segment)
      rmSync(join(directory, file))
      syncDirectory(nodeFileSystem, directory)
      onStep('removed', segment)
      return entry
    }
    entry = await makeArchive(options, segment, file, size, entry ?? sealed)
    if (entry === null) return 'altered'
    // A writer that has added to it may be about to add more.
    await delay(noticeMs)
  }
  return 'still_written'
}

/**
 * Writes the archive, compares it, records it and gives it its name.
 *
 * @param beginning what the first bytes must be.
 * @returns null if they are something else.
 */
async function makeArchive(
  { directory, manifest, onStep }: ArchiverOptions,
  segment: SegmentRef,
  file: string,
  size: number,
  beginning: SegmentDigest,
): Promise<EntryOf<'archived'> | null> {
  const temporary = join(directory, `${segment.name}${TEMPORARY}`)
  rmSync(temporary, { force: true })
  const digester = new SegmentDigester(beginning.bytes)
  try {
    await compress(join(directory, file), temporary, size, digester)
  } catch (error) {
    // On a full disk writers need the room.
    rmSync(temporary, { force: true })
    throw error
  }
  const digest = digester.digest()
  if (digest.bytes !== size || digester.prefixSha256() !== beginning.sha256) {
    rmSync(temporary)
    return null
  }
  onStep('written', segment)
  const archive = await readBack(temporary)
  if (archive.sha256 !== digest.sha256 || archive.bytes !== digest.bytes) {
    rmSync(temporary)
    throw new Error(`${temporary} doesn't read back as it was written: check the disk`)
  }
  onStep('compared', segment)
  const { archive_bytes, archive_sha256 } = archive
  const entry = manifest.append(
    () => ({ kind: 'archived', segment: segment.name, ...digest, archive_bytes, archive_sha256 }),
    Date.now(),
  )
  if (entry?.kind !== 'archived') throw new Error('unreachable: the entry was given')
  onStep('recorded', segment)
  renameSync(temporary, join(directory, archiveFile(segment)))
  syncDirectory(nodeFileSystem, directory)
  onStep('named', segment)
  return entry
}

/** Whether the recorded archive has its name: after a kill, an older one may have it, or none. */
async function isInPlace(
  directory: string,
  segment: SegmentRef,
  entry: EntryOf<'archived'>,
): Promise<boolean> {
  const path = join(directory, archiveFile(segment))
  if (statSync(path, { throwIfNoEntry: false })?.size !== entry.archive_bytes) return false
  try {
    return (await readBack(path)).archive_sha256 === entry.archive_sha256
  } catch {
    // It is damaged. The plain file still exists, so the archive is made again.
    return false
  }
}

/** Whether this file is an archive that a run was still writing when it was killed. */
export function isTemporary(file: string): boolean {
  return /^\d{4}-\d{2}-\d{2}(_\d{3})?\.ndjson\.gz\.tmp$/.test(file)
}

/** Writes the first `size` bytes, compressed and synced, into a file with the same permissions. */
async function compress(
  source: string,
  target: string,
  size: number,
  digester: SegmentDigester,
): Promise<void> {
  const fd = openForReading(source)
  const input = createReadStream('', { fd, start: 0, end: Math.max(0, size - 1) })
  try {
    const mode = fstatSync(fd).mode & 0o666
    const output = createFile(nodeFileSystem, target, { mode })
    const pass = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        digester.add(chunk)
        yield chunk
      }
    }
    const bytes = size === 0 ? Readable.from([]) : input
    // `flush` syncs it before it is closed.
    await pipeline(bytes, pass, createGzip(), createWriteStream('', { fd: output, flush: true }))
  } finally {
    input.destroy()
  }
}

/** Reads an archive, and returns the digest of the lines that it holds and of the file itself. */
export async function readBack(
  path: string,
): Promise<SegmentDigest & { archive_bytes: number; archive_sha256: string }> {
  const hash = createHash('sha256')
  let archive_bytes = 0
  const digester = new SegmentDigester()
  await pipeline(
    createReadStream('', { fd: openForReading(path), start: 0 }),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk)
        archive_bytes += chunk.length
        yield chunk
      }
    },
    createGunzip(),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) digester.add(chunk)
    },
  )
  return { ...digester.digest(), archive_bytes, archive_sha256: hash.digest('hex') }
}
