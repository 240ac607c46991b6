import { constants } from 'node:fs'
import { join } from 'node:path'
import { parseLine } from '../../events/line.js'
import { nodeFileSystem, openRegularFile, readUpTo } from '../../journal/file-system.js'
import { LineScanner } from '../../journal/read/line-scanner.js'
import { listSegments, plainFile, plainSize } from '../../journal/segments.js'

const DAY_MS = 24 * 60 * 60_000

/** How many keys are kept. At about 300 bytes each, they take 60 MB. */
const MAX_KEYS = 200_000

/** How much of the journal's end is searched for keys when a server starts. It takes 0.3 s. */
const MAX_SEARCHED_BYTES = 64 * 1024 * 1024
const CHUNK_BYTES = 1024 * 1024

/** The member of a line that says with which POST it was sent. The journal's readers ignore it. */
export const MARK = 'ingest'

/** What the lines of a POST with an idempotency-key say about it. */
export interface PostMark {
  /** The idempotency-key. */
  key: string
  /** CRC-32 of the body in hex: it tells a repeated POST from another one with the same key. */
  body: string
  /** The event's index in the body, from 0. */
  index: number
  /** How many events the body has. */
  of: number
  /** The common beginning of the correlation_ids that were made for its events. */
  ids: string
}

/** A POST whose events have been written, or are being written. */
export interface KnownPost extends Pick<PostMark, 'body' | 'of' | 'ids'> {
  /** The indexes of the events that are in the journal; null: all of them. */
  written: Set<number> | null
  /** The error because of which it isn't known whether the events are durable; null without one. */
  failure: unknown
}

/**
 * The POSTs of the last day by their idempotency-keys. After a restart they are found again by the
 * marks in the journal's last lines, so that a POST that was cut short by a crash is completed when
 * it is repeated, and no event is doubled.
 */
export class KnownPosts {
  /** Sorted by when they were added, the oldest first. */
  readonly #posts = new Map<string, { post: KnownPost; until: number }>()

  get(key: string): KnownPost | undefined {
    return this.#posts.get(key)?.post
  }

  /** Keeps a POST for a day, or until 200,000 others have been added. */
  add(key: string, post: KnownPost, now: number): void {
    this.#posts.delete(key)
    this.#posts.set(key, { post, until: now + DAY_MS })
    for (const [oldest, { until }] of this.#posts) {
      if (until > now && this.#posts.size <= MAX_KEYS) break
      this.#posts.delete(oldest)
    }
  }

  /**
   * Finds the POSTs of a journal's last lines. They are kept for a day from now, because lines
   * don't say when they were written.
   *
   * @throws JournalError SEGMENT_UNREADABLE if the journal can't be listed; the file system's error
   *   if a segment can't be read.
   */
  find(directory: string, now: number): void {
    for (const { path, from } of lastParts(directory)) {
      for (const mark of marksOf(path, from)) this.#addMark(mark, now)
    }
  }

  #addMark({ key, index, body, of, ids }: PostMark, now: number): void {
    let post = this.get(key)
    // A key may have been used again, for another POST, after a day: the later POST counts.
    if (post === undefined || post.body !== body || post.of !== of || post.ids !== ids) {
      post = { body, of, ids, written: new Set(), failure: null }
      this.add(key, post, now)
    }
    post.written?.add(index)
    if (post.written?.size === of) post.written = null
  }
}

/** Lists the plain segments with the journal's last bytes, the oldest first, and where to begin. */
function lastParts(directory: string): { path: string; from: number }[] {
  const parts: { path: string; from: number }[] = []
  let left = MAX_SEARCHED_BYTES
  for (const segment of listSegments(directory).toReversed()) {
    const size = plainSize(directory, segment)
    if (size === null || left <= 0) break
    parts.unshift({ path: join(directory, plainFile(segment)), from: Math.max(0, size - left) })
    left -= size
  }
  return parts
}

const MARK_START = `"${MARK}":{"key":`

function* marksOf(path: string, from: number): Generator<PostMark> {
  const fd = openRegularFile(nodeFileSystem, path, constants.O_RDONLY)
  try {
    const scanner = new LineScanner(from)
    for (;;) {
      const chunk = readUpTo(nodeFileSystem, fd, scanner.readOffset, CHUNK_BYTES)
      if (chunk.length === 0) return
      // The first line may be the rest of one, and isn't JSON then.
      for (const { bytes } of scanner.scan(chunk)) {
        if (bytes?.includes(MARK_START)) yield* markOf(bytes)
      }
    }
  } finally {
    nodeFileSystem.closeSync(fd)
  }
}

/** Yields the mark of a line, unless another program has written something else in this member. */
function* markOf(line: Buffer): Generator<PostMark> {
  const parsed = parseLine(line)
  if ('reason' in parsed) return
  const { key, body, index, of, ids } = (parsed.members[MARK] ?? {}) as Record<string, unknown>
  const isText = [key, body, ids].every((value) => typeof value === 'string')
  if (isText && Number.isSafeInteger(index) && Number.isSafeInteger(of)) {
    yield { key, body, index, of, ids } as PostMark
  }
}
