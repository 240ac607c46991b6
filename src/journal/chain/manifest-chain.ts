import { createHash } from 'node:crypto'

/** What the first entry names as the entry before it; also the head of an empty manifest. */
export const NO_ENTRY = '0'.repeat(64)

const ENDING = /,"hash":"([0-9a-f]{64})"\}$/
const ENDING_LENGTH = ',"hash":""}'.length + 64

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
  /** The chain, in order; what is added later is added to the same array, so that reading again costs what is new. */
  entries: readonly ManifestEntry[]
  /** Hash of the last entry; 64 zeros when there is none. */
  head: string
  /** Empty unless somebody changed the file. */
  problems: readonly ManifestProblem[]
}

/** The entries that count, as they follow each other. */
export class ManifestChain {
  readonly #entries: ManifestEntry[] = []
  readonly #problems: ManifestProblem[] = []
  readonly #known = new Set([NO_ENTRY])
  #head = NO_ENTRY

  manifest(): Manifest {
    return { entries: this.#entries, head: this.#head, problems: [...this.#problems] }
  }

  /** A line that was ended. */
  add(line: Buffer, byteOffset: number): void {
    if (line.length === 0 || this.addIfWhole(line, byteOffset)) return
    const text = line.toString()
    const problem = (reason: ManifestProblem['reason'], detail: string) =>
      this.#problems.push({ reason, byteOffset, detail })
    if (ENDING.test(text))
      problem('hash_mismatch', "an entry's hash is not that of its bytes, or it is no entry")
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
    } else if (!this.#known.has(previous)) {
      const detail = `an entry follows ${String(previous).slice(0, 16)}…, which is not there`
      this.#problems.push({ reason: 'unknown_previous', byteOffset, detail })
    }
    // Else its writer lost a race, and has looked again.
  }
}

/** Null when its members aren't those of an entry: a hash only says that somebody computed it. */
function parseEntry(text: string): ManifestEntry | null {
  if (!isJson(text)) return null
  const entry = JSON.parse(text) as Partial<Record<string, unknown>> | null
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

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
