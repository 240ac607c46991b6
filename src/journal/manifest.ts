import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { join } from 'node:path'
import { JournalError } from './errors.js'
import { errorCode, type FileSystem, isMissing, nodeFileSystem, syncDirectory } from './files.js'

export const MANIFEST_FILE = 'manifest.jsonl'

/** What the first entry names as the entry before it; also the head of an empty manifest. */
export const NO_ENTRY = '0'.repeat(64)

const { O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_NONBLOCK } = constants
const NEWLINE = 0x0a
const ENDING = /,"hash":"([0-9a-f]{64})"\}$/
const ENDING_LENGTH = ',"hash":""}'.length + 64
const MAX_ATTEMPTS = 100

/** What an entry says of its segment's bytes, uncompressed. */
export interface SegmentDigest {
  /** Up to and with a newline. */
  bytes: number
  /** Newlines in them, as `wc -l` counts; blank lines too. */
  lines: number
  /** SHA-256 in lowercase hex, as `head -c BYTES | sha256sum` computes it. */
  sha256: string
}

/**
 * What is added to the manifest.
 *
 * - `sealed`: the segment's day was over; what comes behind these bytes is late.
 * - `archived`: the `.ndjson.gz` that takes the segment's place; the last such entry of a segment counts.
 * - `pruned`: the segment's files are gone, or about to go, on purpose.
 */
export type NewManifestEntry = { segment: string } & SegmentDigest &
  (
    | { kind: 'sealed' }
    | { kind: 'archived'; archive_bytes: number; archive_sha256: string }
    | { kind: 'pruned' }
  )

export type ManifestEntry = NewManifestEntry & {
  /** When it was added, UTC. */
  at: string
  /** Hash of the entry before. */
  previous: string
  /** SHA-256 of this line's bytes before `,"hash"`. */
  hash: string
}

export type EntryOf<Kind extends ManifestEntry['kind']> = Extract<ManifestEntry, { kind: Kind }>

/**
 * A line that breaks the chain:
 *
 * - `not_an_entry`: not what a writer writes, and no beginning of it either.
 * - `hash_mismatch`: its hash isn't that of its bytes.
 * - `unknown_previous`: it follows an entry that isn't there.
 */
export interface ManifestProblem {
  reason: 'not_an_entry' | 'hash_mismatch' | 'unknown_previous'
  byteOffset: number
  detail: string
}

export interface Manifest {
  /** The chain, in order. */
  entries: readonly ManifestEntry[]
  /** Hash of the last entry; 64 zeros when there is none. */
  head: string
  /** Empty unless somebody changed the file. */
  problems: readonly ManifestProblem[]
}

/**
 * Reads a journal's manifest; an empty one where there is none.
 *
 * @throws JournalError SEGMENT_UNREADABLE when it can't be read.
 */
export function readManifest(directory: string, fs: FileSystem = nodeFileSystem): Manifest {
  return new ManifestFile(directory, fs).read()
}

/** The last entry of a kind for each segment, by the segment's name. */
export function lastEntries<Kind extends ManifestEntry['kind']>(
  { entries }: Manifest,
  kind: Kind,
): Map<string, EntryOf<Kind>> {
  const last = new Map<string, EntryOf<Kind>>()
  for (const entry of entries) if (entry.kind === kind) last.set(entry.segment, entry as EntryOf<Kind>)
  return last
}

/**
 * The manifest of a journal: one JSON line an entry, each with the hash of the one before. Several programs may add to it
 * without a lock: of two entries that follow the same one, the first counts. What was read is kept, so that reading
 * again costs only what was added.
 */
export class ManifestFile {
  readonly path: string
  readonly #directory: string
  readonly #fs: FileSystem
  #chain = new Chain()
  #inode = 0
  #readBytes = 0

  constructor(directory: string, fs: FileSystem = nodeFileSystem) {
    this.#directory = directory
    this.#fs = fs
    this.path = join(directory, MANIFEST_FILE)
  }

  /** @throws JournalError SEGMENT_UNREADABLE */
  read(): Manifest {
    let fd: number
    try {
      fd = this.#fs.openSync(this.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    } catch (error) {
      if (!isMissing(error)) throw this.#unreadable(error)
      this.#startAnew(0)
      return this.#chain.manifest()
    }
    try {
      const { ino, size } = this.#fs.fstatSync(fd)
      if (ino !== this.#inode || size < this.#readBytes) this.#startAnew(ino)
      this.#addLines(this.#bytes(fd, size))
    } catch (error) {
      throw this.#unreadable(error)
    } finally {
      this.#fs.closeSync(fd)
    }
    return this.#chain.manifest()
  }

  /**
   * Adds an entry and makes it durable. `makeEntry` is asked again where another writer was faster, with what is there
   * by then; null: nothing is left to add.
   *
   * @returns the entry, once it is in the chain; null when `makeEntry` gave none.
   * @throws JournalError JOURNAL_INVALID while the chain is broken: nothing is built on what somebody changed.
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
      if (added !== undefined) return added
    }
    throw new Error(`${this.path}: ${MAX_ATTEMPTS} attempts to add an entry were overtaken`)
  }

  #startAnew(inode: number): void {
    this.#chain = new Chain()
    this.#inode = inode
    this.#readBytes = 0
  }

  #bytes(fd: number, size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size - this.#readBytes)
    let length = 0
    while (length < bytes.length) {
      const read = this.#fs.readSync(fd, bytes, length, bytes.length - length, this.#readBytes + length)
      if (read === 0) break
      length += read
    }
    return bytes.subarray(0, length)
  }

  #addLines(bytes: Buffer): void {
    const first = this.#readBytes
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      this.#chain.add(bytes.subarray(start, end), first + start)
      start = end + 1
    }
    // Only its newline may be missing. Anything else is what a crash left: it stays until a newline ends it.
    if (this.#chain.addIfWhole(bytes.subarray(start), first + start)) start = bytes.length
    this.#readBytes = first + start
  }

  /** One write; a fragment that somebody left is ended by it. @returns the hash. */
  #write(entry: Omit<ManifestEntry, 'hash'>): string {
    const start = JSON.stringify(entry).slice(0, -1)
    const hash = createHash('sha256').update(start).digest('hex')
    const fd = this.#openForWriting()
    try {
      const { size } = this.#fs.fstatSync(fd)
      const last = Buffer.alloc(1)
      const isTorn = size > 0 && this.#fs.readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE
      const line = Buffer.from(`${isTorn ? '\n' : ''}${start},"hash":"${hash}"}\n`)
      const written = this.#fs.writeSync(fd, line, 0, line.length)
      if (written !== line.length) throw new Error(`short write: ${written} of ${line.length} bytes`)
      this.#fs.fsyncSync(fd)
    } finally {
      this.#fs.closeSync(fd)
    }
    syncDirectory(this.#fs, this.#directory)
    return hash
  }

  #openForWriting(): number {
    const fs = this.#fs
    try {
      return fs.openSync(this.path, O_RDWR | O_APPEND | O_NOFOLLOW)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    // As the journal was made: 0600, or what a group shares. The umask must not decide.
    const mode = fs.statSync(join(this.#directory, 'journal.json')).mode & 0o666
    try {
      const fd = fs.openSync(this.path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
      fs.fchmodSync(fd, mode)
      return fd
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
      return fs.openSync(this.path, O_RDWR | O_APPEND | O_NOFOLLOW)
    }
  }

  #unreadable(error: unknown): JournalError {
    const reason = error instanceof Error ? error.message : String(error)
    const text = `Can't read ${this.path}: ${reason}`
    return new JournalError('SEGMENT_UNREADABLE', text, { path: this.path, cause: error })
  }

  #broken({ byteOffset, detail }: ManifestProblem): JournalError {
    const found = `${this.path} was changed: ${detail} (at byte ${byteOffset})`
    const advice =
      'bring it back from a backup, or move it away to begin a new chain, which proves nothing older'
    return new JournalError('JOURNAL_INVALID', `${found}; ${advice}`, { path: this.path })
  }
}

/** The entries that count, as they follow each other. */
class Chain {
  readonly #entries: ManifestEntry[] = []
  readonly #problems: ManifestProblem[] = []
  readonly #known = new Set([NO_ENTRY])
  #head = NO_ENTRY

  manifest(): Manifest {
    return { entries: [...this.#entries], head: this.#head, problems: [...this.#problems] }
  }

  /** A line that was ended. */
  add(line: Buffer, byteOffset: number): void {
    if (line.length === 0 || this.addIfWhole(line, byteOffset)) return
    const text = line.toString()
    const problem = (reason: ManifestProblem['reason'], detail: string) =>
      this.#problems.push({ reason, byteOffset, detail })
    if (ENDING.test(text)) problem('hash_mismatch', "an entry's hash is not that of its bytes")
    // A beginning of an entry, as a crash leaves it, is never whole JSON. If it hides an entry that was there, those
    // that followed it say so.
    else if (isJson(text) || !text.startsWith('{')) {
      problem('not_an_entry', 'a line is neither an entry nor the beginning of one')
    }
  }

  /** @returns false when the line isn't an entry whose hash holds. */
  addIfWhole(line: Buffer, byteOffset: number): boolean {
    const hash = ENDING.exec(line.toString('latin1'))?.[1]
    if (hash === undefined) return false
    const bytes = line.subarray(0, line.length - ENDING_LENGTH)
    if (createHash('sha256').update(bytes).digest('hex') !== hash) return false
    this.#follow(JSON.parse(line.toString()) as ManifestEntry, byteOffset)
    return true
  }

  #follow(entry: ManifestEntry, byteOffset: number): void {
    const { previous, hash } = entry
    if (previous === this.#head) {
      this.#head = hash
      this.#known.add(hash)
      this.#entries.push(entry)
    } else if (!this.#known.has(previous)) {
      const detail = `an entry follows ${String(previous).slice(0, 16)}…, which is not there`
      this.#problems.push({ reason: 'unknown_previous', byteOffset, detail })
    }
    // Else its writer lost a race, and has looked again.
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
