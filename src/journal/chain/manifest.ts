import { createHash } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { JournalError } from '../errors.js'
import { type FileIdentity, fileIdentity, isSameFile } from '../file-identity.js'
import {
  endsWithNewline,
  type FileSystem,
  isMissing,
  nodeFileSystem,
  openRegularFile,
  ownerAdvice,
  readUpTo,
  reasonOf,
  syncDirectory,
} from '../file-system.js'
import { openOrCreateFile } from '../new-file.js'
import type { SegmentDigest } from './segment-digest.js'

export const MANIFEST_FILE = 'manifest.jsonl'

/** The hash that the first entry gives for the one before it; the head of an empty manifest. */
export const NO_ENTRY = '0'.repeat(64)

const { O_RDWR, O_APPEND, O_RDONLY } = constants
const NEWLINE = 0x0a
const MAX_ATTEMPTS = 100

/** How every entry ends. */
const ENDING = /,"hash":"([0-9a-f]{64})"\}$/
const ENDING_LENGTH = ',"hash":""}'.length + 64

/**
 * An entry to add to the manifest. The digest is that of the segment's uncompressed bytes.
 *
 * - `sealed`: the segment's day was over; lines after these bytes are late.
 * - `archived`: the `.ndjson.gz` that takes the segment's place; the last such entry of a segment
 *   counts.
 * - `pruned`: the segment's files are gone, or about to go, on purpose.
 */
export type NewManifestEntry = { segment: string } & SegmentDigest &
  (
    | { kind: 'sealed'; import?: ImportOrigin }
    | { kind: 'archived'; archive_bytes: number; archive_sha256: string }
    | { kind: 'pruned' }
  )

/** Where the events of an imported segment come from. */
export interface ImportOrigin {
  /** Identifies the import: what it read, and with which options. */
  id: string
  /** The SHA-256 of what was read, in hex. */
  content: string
  /** The options that decided how it was converted, as on a command line. */
  options: string
  /** Which segment of the import it is, from 1. */
  part: number
  parts: number
  /** The first and the last timestamp in the segment. */
  first: string
  last: string
  /** The name of the file that was read, without its directory; older imports don't have it. */
  file?: string
  /** How many requests the segment has; older imports don't have it. */
  requests?: number
}

export type ManifestEntry = NewManifestEntry & {
  /** When it was added, UTC. */
  at: string
  /** The hash of the entry before. */
  previous: string
  /** The SHA-256 of this line's bytes before `,"hash"`. */
  hash: string
}

export type EntryOf<Kind extends ManifestEntry['kind']> = Extract<ManifestEntry, { kind: Kind }>

/**
 * A line that breaks the chain:
 *
 * - `not_an_entry`: it's neither an entry nor the beginning of one.
 * - `hash_mismatch`: its hash isn't that of its bytes.
 * - `unknown_previous`: it follows an entry that isn't there.
 */
export interface ManifestProblem {
  reason: 'not_an_entry' | 'hash_mismatch' | 'unknown_previous'
  byteOffset: number
  detail: string
}

export interface Manifest {
  /** The entries that count, in order. Reading again adds to this same array. */
  entries: readonly ManifestEntry[]
  /** See {@link lastEntries}. */
  last: LastEntries
  /** The hash of the last entry; 64 zeros if there is none. */
  head: string
  /** Empty unless somebody changed the file. */
  problems: readonly ManifestProblem[]
}

/**
 * Reads a journal's manifest. It's empty if the file doesn't exist.
 *
 * @throws JournalError MANIFEST_UNREADABLE
 */
export function readManifest(directory: string, fs: FileSystem = nodeFileSystem): Manifest {
  return new ManifestFile(directory, fs).read()
}

type LastEntries = { [Kind in ManifestEntry['kind']]: Map<string, EntryOf<Kind>> }

/** The last entry of a kind for each segment, by name. */
export function lastEntries<Kind extends ManifestEntry['kind']>(
  { last }: Manifest,
  kind: Kind,
): ReadonlyMap<string, EntryOf<Kind>> {
  return last[kind]
}

/**
 * A journal's manifest: one JSON line for each entry, with the hash of the entry before. Several
 * programs may add to it without a lock: of two entries that follow the same one, the first counts.
 * What was read is kept, so that reading again costs only what was added.
 */
export class ManifestFile {
  readonly path: string
  readonly #directory: string
  readonly #fs: FileSystem
  #chain = new ManifestChain()
  #file: FileIdentity | null = null
  #readBytes = 0
  /** Whether this object has synced the directory, so that the name survives a power cut. */
  #isNameDurable = false

  constructor(directory: string, fs: FileSystem = nodeFileSystem) {
    this.#directory = directory
    this.#fs = fs
    this.path = join(directory, MANIFEST_FILE)
  }

  /** @throws JournalError MANIFEST_UNREADABLE */
  read(): Manifest {
    let fd: number
    try {
      fd = openRegularFile(this.#fs, this.path, O_RDONLY)
    } catch (error) {
      if (!isMissing(error)) throw this.#unreadable(error)
      // Somebody may have moved it away to begin a new chain.
      this.#startAnew(null)
      return this.#chain.manifest()
    }
    try {
      const stats = this.#fs.fstatSync(fd, { bigint: true })
      const file = fileIdentity(stats)
      const size = Number(stats.size)
      if (!isSameFile(file, this.#file) || size < this.#readBytes) this.#startAnew(file)
      this.#addLines(readUpTo(this.#fs, fd, this.#readBytes, size - this.#readBytes))
    } catch (error) {
      throw this.#unreadable(error)
    } finally {
      this.#fs.closeSync(fd)
    }
    return this.#chain.manifest()
  }

  /**
   * Adds an entry and makes it durable. If another program adds one first, `makeEntry` is called
   * again with the manifest as it is by then. `makeEntry` returns null if nothing is left to add.
   *
   * @returns the entry, once it's in the chain; null if `makeEntry` returned null.
   * @throws JournalError JOURNAL_INVALID while the chain is broken, since no entry may follow one
   *   that somebody changed; MANIFEST_UNREADABLE.
   */
  append(makeEntry: (manifest: Manifest) => NewManifestEntry | null, now: number): ManifestEntry | null {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const manifest = this.read()
      const [problem] = manifest.problems
      if (problem !== undefined) throw this.#broken(problem)
      const entry = makeEntry(manifest)
      if (entry === null) return null
      const hash = this.#write({ ...entry, at: new Date(now).toISOString(), previous: manifest.head })
      const added = this.read().entries.findLast((other) => other.hash === hash)
      // Set after the read, which resets it for a file that has just been created.
      this.#isNameDurable = true
      if (added !== undefined) return added
    }
    throw new Error(`${this.path}: other programs added an entry first in each of ${MAX_ATTEMPTS} attempts`)
  }

  /** @throws the file system's error if this user can't add an entry. */
  checkWritable(): void {
    try {
      accessSync(this.path, constants.W_OK)
    } catch (error) {
      if (!isMissing(error)) throw error
      accessSync(this.#directory, constants.W_OK | constants.X_OK)
    }
  }

  #startAnew(file: FileIdentity | null): void {
    this.#chain = new ManifestChain()
    this.#file = file
    this.#readBytes = 0
    this.#isNameDurable = false
  }

  #addLines(bytes: Buffer): void {
    const first = this.#readBytes
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      this.#chain.add(bytes.subarray(start, end), first + start)
      start = end + 1
    }
    // A last line that lacks only its newline counts. Any other unfinished line was left by a
    // crash, and isn't judged until a newline ends it.
    if (this.#chain.addIfWhole(bytes.subarray(start), first + start)) start = bytes.length
    this.#readBytes = first + start
  }

  /** Adds the entry in one write, and ends a fragment before it. @returns the entry's hash. */
  #write(entry: Omit<ManifestEntry, 'hash'>): string {
    const start = JSON.stringify(entry).slice(0, -1)
    const hash = createHash('sha256').update(start).digest('hex')
    const fd = this.#openForWriting()
    try {
      const isTorn = !endsWithNewline(this.#fs, fd, this.#fs.fstatSync(fd).size)
      const line = Buffer.from(`${isTorn ? '\n' : ''}${start},"hash":"${hash}"}\n`)
      const written = this.#fs.writeSync(fd, line, 0, line.length)
      if (written !== line.length) throw new Error(`short write: ${written} of ${line.length} bytes`)
      this.#fs.fsyncSync(fd)
    } finally {
      this.#fs.closeSync(fd)
    }
    if (!this.#isNameDurable) syncDirectory(this.#fs, this.#directory)
    return hash
  }

  #openForWriting(): number {
    const fs = this.#fs
    try {
      return openRegularFile(fs, this.path, O_RDWR | O_APPEND)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    // The same permissions as journal.json has, but never fewer than its owner needs.
    const mode = 0o600 | (fs.statSync(join(this.#directory, 'journal.json')).mode & 0o666)
    return openOrCreateFile(fs, this.path, { mode, flags: O_RDWR | O_APPEND })
  }

  #unreadable(error: unknown): JournalError {
    const text = `Can't read ${this.path}: ${reasonOf(error)}${ownerAdvice(error)}`
    return new JournalError('MANIFEST_UNREADABLE', this.path, text, { cause: error })
  }

  #broken({ byteOffset, detail }: ManifestProblem): JournalError {
    const found = `${this.path} was changed: ${detail} (at byte ${byteOffset})`
    const advice =
      'bring it back from a backup, or move it away to begin a new chain, which proves nothing about older segments'
    return new JournalError('JOURNAL_INVALID', this.path, `${found}; ${advice}`)
  }
}

/** Decides line by line which entries count, and which lines break the chain. */
class ManifestChain {
  readonly #entries: ManifestEntry[] = []
  readonly #last: LastEntries = { sealed: new Map(), archived: new Map(), pruned: new Map() }
  readonly #problems: ManifestProblem[] = []
  readonly #known = new Set([NO_ENTRY])
  #head = NO_ENTRY

  manifest(): Manifest {
    return { entries: this.#entries, last: this.#last, head: this.#head, problems: [...this.#problems] }
  }

  /** Adds a line that ended with a newline, given without it. */
  add(line: Buffer, byteOffset: number): void {
    if (line.length === 0 || this.addIfWhole(line, byteOffset)) return
    const text = line.toString()
    // The beginning of an entry, as a crash leaves it, is never valid JSON and breaks nothing. If
    // it replaced an entry, the entries that followed that one show it.
    if (ENDING.test(text)) {
      const detail = "an entry's hash isn't that of its bytes, or its members aren't those of an entry"
      this.#problems.push({ reason: 'hash_mismatch', byteOffset, detail })
    } else if (parseJson(text) !== undefined || !text.startsWith('{')) {
      const detail = 'a line is neither an entry nor the beginning of one'
      this.#problems.push({ reason: 'not_an_entry', byteOffset, detail })
    }
  }

  /** @returns false if the line isn't an entry, or its hash isn't that of its bytes. */
  addIfWhole(line: Buffer, byteOffset: number): boolean {
    const hash = ENDING.exec(line.toString('latin1'))?.[1]
    if (hash === undefined) return false
    const bytes = line.subarray(0, line.length - ENDING_LENGTH)
    if (createHash('sha256').update(bytes).digest('hex') !== hash) return false
    const entry = parseEntry(line.toString())
    if (entry === null) return false
    this.#follow(entry, byteOffset)
    return true
  }

  #follow(entry: ManifestEntry, byteOffset: number): void {
    const { previous, hash } = entry
    if (previous === this.#head) {
      this.#head = hash
      this.#known.add(hash)
      this.#entries.push(entry)
      const last: Map<string, ManifestEntry> = this.#last[entry.kind]
      last.set(entry.segment, entry)
    } else if (!this.#known.has(previous)) {
      const detail = `an entry follows ${previous.slice(0, 16)}…, which isn't there`
      this.#problems.push({ reason: 'unknown_previous', byteOffset, detail })
    }
    // Otherwise another program added an entry first, and this one was added again.
  }
}

/**
 * Parses an entry. Null if the members aren't those of an entry: a correct hash doesn't prove that
 * they are, since anybody can compute it.
 */
function parseEntry(text: string): ManifestEntry | null {
  const entry = parseJson(text) as Partial<Record<string, unknown>> | null | undefined
  const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0
  const isEntry =
    typeof entry === 'object' &&
    entry !== null &&
    ['sealed', 'archived', 'pruned'].includes(String(entry['kind'])) &&
    typeof entry['segment'] === 'string' &&
    isCount(entry['bytes']) &&
    isCount(entry['lines']) &&
    typeof entry['sha256'] === 'string' &&
    typeof entry['previous'] === 'string' &&
    (entry['kind'] !== 'archived' ||
      (isCount(entry['archive_bytes']) && typeof entry['archive_sha256'] === 'string'))
  return isEntry ? (entry as unknown as ManifestEntry) : null
}

/** Undefined if the text isn't valid JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
