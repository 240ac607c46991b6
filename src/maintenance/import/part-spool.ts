import { closeSync, createReadStream, createWriteStream, fsyncSync, openSync, rmSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { SegmentDigest } from '../../journal/chain/segment-digest.js'
import { nodeFileSystem } from '../../journal/file-system.js'
import { createFile } from '../../journal/new-file.js'
import { readBack } from '../archive-segment.js'

/** How many bytes of a day are compressed at a time. */
const PIECE_BYTES = 1024 * 1024
/** How many bytes of all days together wait in memory: a file needn't be in any order. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024

interface Day {
  /** Its file, compressed. */
  file: string
  /** The first and the last timestamp in it. */
  first: string
  last: string
  requests: number
  /** How many bytes of lines the file has. */
  bytes: number
  waiting: Buffer[]
  waitingBytes: number
}

/** One segment of an import: everything from a UTC day, or from a few if there are many days. */
export type ImportPart = Omit<Day, 'waiting' | 'waitingBytes' | 'bytes'> & {
  digest: SegmentDigest
  archive_bytes: number
  archive_sha256: string
}

const compressed = promisify(gzip)

/**
 * Sorts lines into compressed files by the UTC days of their events, so that each day can be pruned
 * by itself. Within a day, lines stay in the order in which they were added.
 */
export class PartSpool {
  readonly #directory: string
  readonly #mode: number
  readonly #days = new Map<string, Day>()
  #waitingBytes = 0
  #writing: Promise<void> = Promise.resolve()

  /** @param directory an empty one. */
  constructor(directory: string, mode: number) {
    this.#directory = directory
    this.#mode = mode
  }

  /** Adds the lines of a request. Resolves once another one may be added. */
  async add(timestamp: string, lines: readonly Buffer[]): Promise<void> {
    const name = timestamp.slice(0, 10)
    let day = this.#days.get(name)
    if (day === undefined) {
      const [first, last] = [timestamp, timestamp]
      day = { file: name, first, last, requests: 0, bytes: 0, waiting: [], waitingBytes: 0 }
      this.#days.set(name, day)
    }
    day.requests++
    if (timestamp < day.first) day.first = timestamp
    if (timestamp > day.last) day.last = timestamp
    for (const line of lines) {
      day.waiting.push(line)
      day.waitingBytes += line.length
      this.#waitingBytes += line.length
    }
    if (day.waitingBytes >= PIECE_BYTES) await this.#write(day)
    if (this.#waitingBytes >= MAX_WAITING_BYTES) await this.#writeAll()
  }

  /**
   * Writes what is waiting, and makes every file durable.
   *
   * @param maxParts how many parts there may be; if there are more days, they share parts.
   * @returns the parts, in the order of their days.
   */
  async finish(maxParts: number): Promise<ImportPart[]> {
    await this.#writeAll()
    await this.#writing
    const days = [...this.#days.values()].sort((a, b) => (a.file < b.file ? -1 : 1))
    const perPart = Math.ceil(days.length / maxParts)
    const parts: ImportPart[] = []
    for (let at = 0; at < days.length; at += perPart) {
      parts.push(await this.#finishPart(days.slice(at, at + perPart)))
    }
    return parts
  }

  async #writeAll(): Promise<void> {
    for (const day of this.#days.values()) if (day.waitingBytes > 0) await this.#write(day)
  }

  /** Writes a piece of a day. While it is compressed, the next one is filled. */
  async #write(day: Day): Promise<void> {
    const { waiting, waitingBytes } = day
    const path = join(this.#directory, day.file)
    if (day.bytes === 0) {
      const like = join(this.#directory, '..', 'journal.json')
      closeSync(createFile(nodeFileSystem, path, { mode: this.#mode, like }))
    }
    day.waiting = []
    day.waitingBytes = 0
    day.bytes += waitingBytes
    this.#waitingBytes -= waitingBytes
    await this.#writing
    // A file of gzip may have any number of members.
    this.#writing = compressed(Buffer.concat(waiting, waitingBytes)).then((piece) => appendFile(path, piece))
    // The next piece, or `finish`, awaits it and gets its error.
    this.#writing.catch(() => {})
  }

  async #finishPart(days: readonly Day[]): Promise<ImportPart> {
    const [head] = days
    if (head === undefined) throw new Error('unreachable: a part has a day')
    const path = join(this.#directory, head.file)
    for (const { file } of days.slice(1)) {
      const other = join(this.#directory, file)
      await pipeline(createReadStream(other), createWriteStream(path, { flags: 'a' }))
      rmSync(other)
    }
    syncPath(path)
    const bytes = days.reduce((sum, day) => sum + day.bytes, 0)
    const { archive_bytes, archive_sha256, ...digest } = await readBack(path)
    if (digest.bytes !== bytes) {
      throw new Error(`${path}: found ${digest.bytes} bytes of lines, expected ${bytes}`)
    }
    const last = days.reduce((latest, day) => (day.last > latest ? day.last : latest), head.last)
    const requests = days.reduce((sum, day) => sum + day.requests, 0)
    return { file: head.file, first: head.first, last, requests, digest, archive_bytes, archive_sha256 }
  }
}

function syncPath(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
