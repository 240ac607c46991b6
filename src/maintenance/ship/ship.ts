import { hash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { lastEntries, MANIFEST_FILE, readManifest } from '../../journal/chain/manifest.js'
import { type SegmentDigest, SegmentDigester } from '../../journal/chain/segment-digest.js'
import { nodeFileSystem } from '../../journal/file-system.js'
import { IDENTITY_FILE, readIdentity, sharedMode } from '../../journal/journal-identity.js'
import { openSegment } from '../../journal/read/open-segment.js'
import { listSegments, plainSize, type Segment } from '../../journal/segments.js'
import { ObjectStore } from '../objects/s3-store.js'
import { type LocalFile, shipFile } from './ship-file.js'
import { type ShippedFile, ShippedJournal } from './shipped-journal.js'

/** How many bytes of a file one object has at most, before they are compressed. */
const PART_BYTES = 32 * 1024 * 1024

const CHUNK_BYTES = 1024 * 1024

export interface ShipOptions {
  /** The journal's directory. */
  journal: string
  /** Where to: `s3://bucket/prefix`. The journal's id follows in each object's key. */
  to: string
  /** Called after each part of a segment, with what was sent of it. */
  onProgress?: ((progress: { segment: string; bytes: number }) => void) | undefined
}

/**
 * Why a segment isn't shipped:
 *
 * - `not_sealed`: its day isn't over for ten minutes, or no projector has sealed it yet.
 * - `altered`: its bytes aren't those that were sealed or archived; see `verify`.
 */
export type NotShippedReason = 'not_sealed' | 'altered'

/** What `ship` prints with `--json`. */
export interface ShipResult {
  journal_id: string
  /** The address of the journal's objects. */
  to: string
  /** The segments of which something was sent, and how many bytes before compression. */
  shipped: { segment: string; bytes: number }[]
  /** How many segments were there whole already. */
  held: number
  skipped: { segment: string; reason: NotShippedReason }[]
}

/**
 * Sends sealed segments, `journal.json` and the manifest to an object store that isn't on this
 * host. What is there is compared, never overwritten, so it can be killed at any instant, and run
 * twice at the same time; the next run sends what is missing. Writers and projectors may run
 * meanwhile.
 *
 * @throws JournalError JOURNAL_MISSING, JOURNAL_INVALID, MANIFEST_UNREADABLE, SEGMENT_UNREADABLE;
 *   ObjectStoreError STORE_AWAY, STORE_REFUSED, OBJECT_DIFFERS; InputError PACKAGE_MISSING.
 */
export async function ship(options: ShipOptions): Promise<ShipResult> {
  const store = await ObjectStore.open(options.to)
  try {
    return await shipTo(store, options, PART_BYTES)
  } finally {
    store.close()
  }
}

/** @internal The same to a store that is open, with parts of another size. */
export async function shipTo(
  store: ObjectStore,
  { journal, onProgress }: ShipOptions,
  partBytes: number,
): Promise<ShipResult> {
  const directory = resolve(journal)
  const { journal_id } = readIdentity(directory)
  const copy = new ShippedJournal(store, journal_id)
  const held = await copy.files()
  const result: ShipResult = { journal_id, to: copy.name, shipped: [], held: 0, skipped: [] }
  // Sent first, since the journal can't be restored without it.
  await sendSmall(IDENTITY_FILE, readFileSync(join(directory, IDENTITY_FILE)))
  const manifest = readManifest(directory)
  const [sealed, archived] = [lastEntries(manifest, 'sealed'), lastEntries(manifest, 'archived')]
  const mode = sharedMode(directory, nodeFileSystem)
  for (const segment of listSegments(directory)) {
    const { name } = segment
    const seal = sealed.get(name)
    if (seal === undefined) {
      result.skipped.push({ segment: name, reason: 'not_sealed' })
      continue
    }
    const recorded = { sealed: seal, archived: segment.state === 'plain' ? undefined : archived.get(name) }
    const known = knownDigest(directory, segment, recorded)
    if (known !== null && isHeld(held.get(name), known)) {
      result.held++
      continue
    }
    // Read once before anything is sent: an object can't be taken back.
    const digest = await digestOf(directory, segment, recorded)
    if (digest === null) {
      result.skipped.push({ segment: name, reason: 'altered' })
    } else if (isHeld(held.get(name), digest)) {
      result.held++
    } else {
      const bytes = await send({ name, mode, ...digest, read: () => bytesOf(directory, segment) })
      result.shipped.push({ segment: name, bytes })
    }
  }
  if (manifest.entries.length > 0) {
    const text = readFileSync(join(directory, MANIFEST_FILE))
    // What follows the last newline may still be being written.
    await sendSmall(MANIFEST_FILE, text.subarray(0, text.lastIndexOf('\n') + 1))
  }
  return result

  async function send(file: LocalFile): Promise<number> {
    const onSent = (bytes: number) => onProgress?.({ segment: file.name, bytes })
    return await shipFile(copy, file, { partBytes, onSent })
  }

  async function sendSmall(name: string, bytes: Buffer): Promise<void> {
    const digest = { bytes: bytes.length, sha256: hash('sha256', bytes) }
    if (isHeld(held.get(name), digest)) return
    const mode = statSync(join(directory, name)).mode & 0o777
    await send({ name, mode, ...digest, read: () => Readable.from([bytes]) })
  }
}

type FileDigest = Pick<SegmentDigest, 'bytes' | 'sha256'>

function isHeld(held: ShippedFile | undefined, { bytes, sha256 }: FileDigest): boolean {
  if (held === undefined) return bytes === 0
  return held.isWhole && held.bytes === bytes && held.sha256 === sha256
}

interface Recorded {
  sealed: SegmentDigest
  /** Undefined: it isn't archived. */
  archived: SegmentDigest | undefined
}

/** The digest of a segment in the manifest, if it covers all of the segment's bytes. */
function knownDigest(
  directory: string,
  segment: Segment,
  { sealed, archived }: Recorded,
): SegmentDigest | null {
  const size = plainSize(directory, segment)
  if (size === null) return archived ?? null
  return size === sealed.bytes ? sealed : null
}

/** Reads a segment up to its last newline; null if it isn't what was recorded. */
async function digestOf(
  directory: string,
  segment: Segment,
  { sealed, archived }: Recorded,
): Promise<SegmentDigest | null> {
  const digester = new SegmentDigester(sealed.bytes)
  for await (const bytes of bytesOf(directory, segment)) digester.add(bytes)
  const digest = digester.digest()
  if (digest.bytes < sealed.bytes || digester.prefixSha256() !== sealed.sha256) return null
  const isAsArchived = archived === undefined || archived.sha256 === digest.sha256
  return isAsArchived || segment.state === 'leaving' ? digest : null
}

async function* bytesOf(directory: string, segment: Segment): AsyncGenerator<Buffer> {
  const source = openSegment(directory, segment, { chunkBytes: CHUNK_BYTES })
  try {
    for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) yield chunk.bytes
  } finally {
    source.close()
  }
}
