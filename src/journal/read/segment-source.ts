import * as fs from 'node:fs'
import { JournalError } from '../errors.js'
import { ownerAdvice } from '../file-system.js'
import type { SegmentRef } from '../segments.js'
import type { ScannedLine } from './line-scanner.js'

/** Where to begin reading a segment, and how to read it. */
export interface ReadFrom {
  /** The byte offset of a line's first byte. @default 0 */
  position?: number | undefined
  /** CRC-32 of all bytes before the position. @default 0 */
  positionCrc32?: number | undefined
  /** How many bytes of a plain segment are read at a time. @default 64 KiB */
  chunkBytes?: number | undefined
}

/** The bytes of one step of reading, valid until the next step. */
export interface Chunk {
  bytes: Buffer
  /** The lines that end in the chunk. */
  lines: readonly ScannedLine[]
}

/** A segment that is read from a position onwards, whether from a plain file or an archive. */
export interface SegmentSource {
  readonly segment: SegmentRef
  readonly path: string
  readonly isArchive: boolean
  /** The byte offset after the last whole line that was read. */
  readonly position: number
  /** CRC-32 of all bytes before the position. */
  readonly positionCrc32: number
  /** The byte offset after the last byte that was read, which may be inside a line. */
  readonly readOffset: number
  /** The state of the open file. */
  readonly stats: fs.BigIntStats
  /**
   * Reads the next chunk; null at the end of the segment.
   *
   * @throws JournalError SEGMENT_UNREADABLE for an I/O error, and for an archive that is damaged,
   *   ends before the position or differs before it.
   */
  read(): Promise<Chunk | null>
  /**
   * Returns the bytes at an offset, or fewer if the file ends first. An archive can only give bytes
   * of the last line that was read and of lines that end in the chunk that was read last: of each,
   * only the last MiB if it's longer.
   */
  bytesAt(byteOffset: number, length: number): Buffer
  /** Resolves once everything read so far survives a power cut. */
  sync(): Promise<void>
  close(): void
}

/** @throws JournalError SEGMENT_UNREADABLE */
export function openForReading(path: string): number {
  let fd: number
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
  } catch (error) {
    throw unreadable(path, error)
  }
  if (fs.fstatSync(fd).isFile()) return fd
  fs.closeSync(fd)
  throw new JournalError('SEGMENT_UNREADABLE', path, `${path} is not a regular file: a segment must be one`)
}

export function unreadable(path: string, error: unknown): JournalError {
  const { code, message } = error as NodeJS.ErrnoException
  const isLink = code === 'ELOOP'
  const found = isLink
    ? 'it is a symbolic link, and a segment must be a regular file'
    : `${message}${ownerAdvice(error)}`
  return new JournalError('SEGMENT_UNREADABLE', path, `Can't read ${path}: ${found}`, { cause: error })
}
