import { JournalError, type JournalErrorCode } from '../../journal/errors.js'
import type { FileIdentity } from '../../journal/file-identity.js'
import type { Segment } from '../../journal/segments.js'
import type { SegmentPosition } from '../../store/sqlite/positions.js'
import type { DecodedPart, DecodeOptions, SegmentDigests } from '../decoded-segment.js'
import type { PackedLines } from './packed-lines.js'

/** What a decoding thread is asked for; `id` tells the segments apart that are open at a time. */
export type DecoderRequest =
  | { kind: 'open'; id: number; open: SegmentToOpen }
  | { kind: 'sync'; id: number }
  | { kind: 'close'; id: number }
  /** A pack that was read. */
  | { kind: 'release'; buffer: ArrayBuffer }

export interface SegmentToOpen extends DecodeOptions {
  directory: string
  segment: Segment
  /** Where a line begins. */
  position: number
  /** CRC-32 of all bytes before the position. */
  positionCrc32: number
}

/** What a decoding thread answers. */
export type DecoderAnswer =
  | { kind: 'opened'; id: number; path: string; isArchive: boolean; file: FileIdentity }
  | { kind: 'part'; id: number; part: DecodedPart; lines: PackedLines; behind: Behind }
  | { kind: 'end'; id: number; digests: SegmentDigests }
  | { kind: 'synced'; id: number }
  | { kind: 'failed'; id: number; error: PlainError }

/** Where a segment stands behind what was handed out. */
export interface Behind {
  position: number
  positionCrc32: number
  lastLine: SegmentPosition['lastLine']
}

/** An error on its way between threads, which of its own keeps little more than its message. */
export interface PlainError {
  name: string
  message: string
  code: string | undefined
  path: string
  cause: PlainError | null
}

export function plainError(error: unknown): PlainError {
  if (!(error instanceof Error)) {
    return { name: 'Error', message: String(error), code: undefined, path: '', cause: null }
  }
  const { code, path } = error as { code?: string; path?: string }
  const cause = error.cause === undefined ? null : plainError(error.cause)
  return { name: error.name, message: error.message, code, path: path ?? '', cause }
}

/** The error that was sent: where it was a JournalError, one again. */
export function revivedError({ name, message, code, path, cause }: PlainError): Error {
  const details = cause === null ? {} : { cause: revivedError(cause) }
  if (name === 'JournalError') return new JournalError(code as JournalErrorCode, path, message, details)
  return Object.assign(new Error(message, details), { name, code })
}
