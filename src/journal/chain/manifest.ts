import { createHash } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { JournalError } from '../errors.js'
import { type FileIdentity, fileIdentity, isSameFile } from '../file-identity.js'
import {
  errorCode,
  type FileSystem,
  isMissing,
  nodeFileSystem,
  openRegularFile,
  syncDirectory,
} from '../files.js'
import { createFile } from '../new-file.js'
import {
  type EntryOf,
  type Manifest,
  ManifestChain,
  type ManifestEntry,
  type ManifestProblem,
  type NewManifestEntry,
} from './manifest-chain.js'

export {
  type EntryOf,
  type Manifest,
  type ManifestEntry,
  type ManifestProblem,
  type NewManifestEntry,
  NO_ENTRY,
  type SegmentDigest,
} from './manifest-chain.js'

export const MANIFEST_FILE = 'manifest.jsonl'

const { O_RDWR, O_APPEND, O_RDONLY } = constants
const NEWLINE = 0x0a
const MAX_ATTEMPTS = 100

/**
 * Reads a journal's manifest; an empty one where there is none.
 *
 * @throws JournalError MANIFEST_UNREADABLE when it can't be read.
 */
export function readManifest(directory: string, fs: FileSystem = nodeFileSystem): Manifest {
  return new ManifestFile(directory, fs).read()
}

type LastEntries = { [Kind in ManifestEntry['kind']]: Map<string, EntryOf<Kind>> }

/** Of each chain that was asked about, as far as it was long by then. */
const indexes = new WeakMap<Manifest['entries'], { length: number; last: LastEntries }>()

/** The last entry of a kind for each segment, by the segment's name. Asked again, it costs what was added since. */
export function lastEntries<Kind extends ManifestEntry['kind']>(
  { entries }: Manifest,
  kind: Kind,
): ReadonlyMap<string, EntryOf<Kind>> {
  let index = indexes.get(entries)
  if (index === undefined) {
    index = { length: 0, last: { sealed: new Map(), archived: new Map(), pruned: new Map() } }
    indexes.set(entries, index)
  }
  for (; index.length < entries.length; index.length++) {
    const entry = entries[index.length] as ManifestEntry
    const last: Map<string, ManifestEntry> = index.last[entry.kind]
    last.set(entry.segment, entry)
  }
  return index.last[kind]
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
  #chain = new ManifestChain()
  #file: FileIdentity | null = null
  #readBytes = 0
  /** The file's name survives a power cut: this object has synced it. */
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
      // Also where it was moved away, to begin a new chain.
      this.#startAnew(null)
      return this.#chain.manifest()
    }
    try {
      const stats = this.#fs.fstatSync(fd, { bigint: true })
      const file = fileIdentity(stats)
      const size = Number(stats.size)
      if (!isSameFile(file, this.#file) || size < this.#readBytes) this.#startAnew(file)
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
      // After the read, which begins anew where the file has just been made.
      this.#isNameDurable = true
      if (added !== undefined) return added
    }
    throw new Error(`${this.path}: ${MAX_ATTEMPTS} attempts to add an entry were overtaken`)
  }

  /** @throws the file system's error where this user could not add an entry. */
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
    // As the journal was made: 0600, or what a group shares; never less than its owner needs.
    const mode = 0o600 | (fs.statSync(join(this.#directory, 'journal.json')).mode & 0o666)
    try {
      return createFile(fs, this.path, { mode, flags: O_RDWR | O_APPEND })
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
      return openRegularFile(fs, this.path, O_RDWR | O_APPEND)
    }
  }

  #unreadable(error: unknown): JournalError {
    const reason = error instanceof Error ? error.message : String(error)
    const text = `Can't read ${this.path}: ${reason}`
    return new JournalError('MANIFEST_UNREADABLE', this.path, text, { cause: error })
  }

  #broken({ byteOffset, detail }: ManifestProblem): JournalError {
    const found = `${this.path} was changed: ${detail} (at byte ${byteOffset})`
    const advice =
      'bring it back from a backup, or move it away to begin a new chain, which proves nothing older'
    return new JournalError('JOURNAL_INVALID', this.path, `${found}; ${advice}`)
  }
}
