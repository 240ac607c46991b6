class PathError<Code extends string> extends Error {
  readonly code: Code
  /** The file, directory or segment that the error is about. */
  readonly path: string

  constructor(code: Code, path: string, message: string, options?: ErrorOptions) {
    // A cause that is undefined would be printed with the error.
    super(message, options?.cause === undefined ? undefined : options)
    this.code = code
    this.path = path
  }
}

export const JOURNAL_ERROR_CODES = [
  'JOURNAL_MISSING',
  'JOURNAL_INVALID',
  'JOURNAL_UNWRITABLE',
  'MANIFEST_UNREADABLE',
  'SEGMENT_UNREADABLE',
  'SEGMENTS_EXHAUSTED',
] as const

export type JournalErrorCode = (typeof JOURNAL_ERROR_CODES)[number]

/**
 * Thrown when a journal can't be opened or read.
 *
 * - `JOURNAL_MISSING`: the directory holds no journal, and this call doesn't create one.
 * - `JOURNAL_INVALID`: journal.json is damaged, has another format, or is gone from a directory
 *   with segments; the chain of manifest.jsonl was changed; or the path isn't a directory.
 * - `JOURNAL_UNWRITABLE`: the journal can't be created: its directory or journal.json can't be
 *   written.
 * - `MANIFEST_UNREADABLE`: manifest.jsonl can't be opened or read, or isn't a regular file.
 * - `SEGMENT_UNREADABLE`: a segment or its archive can't be opened or read, isn't a regular file,
 *   or is a damaged archive; or the directory can't be listed.
 * - `SEGMENTS_EXHAUSTED`: a day has used up its 999 segment numbers.
 */
export class JournalError extends PathError<JournalErrorCode> {
  override readonly name = 'JournalError'
}

export const JOURNAL_WRITE_ERROR_CODES = [
  'WRITE_FAILED',
  'SYNC_FAILED',
  'SYNC_INCOMPLETE',
  'SEGMENT_LOST',
  'BUFFER_NOT_EMPTY',
  'JOURNAL_CLOSED',
] as const

export type JournalWriteErrorCode = (typeof JOURNAL_WRITE_ERROR_CODES)[number]

/**
 * Thrown by `append`, and by `openJournal` if no segment can be opened; `flush` and `close` reject
 * with it. Events couldn't be written or made durable.
 *
 * - `WRITE_FAILED`: the disk refused a write. The event wasn't written, with one exception: if only
 *   its newline couldn't be written, the next line completes it, and the event is in the journal
 *   although its `append` threw.
 * - `SYNC_FAILED`: fdatasync failed. Events appended since the last `flush` may not survive a power
 *   cut, and later events go to another segment. It's reported once: to the flushes that wait for
 *   that sync, or else to the next flush.
 * - `SYNC_INCOMPLETE`: the segment was synced, but its name may not survive a power cut, or the
 *   journal couldn't be read to see whether it still has the segment, for example because the
 *   process ran out of file descriptors. Nothing is known to be lost: flush again.
 * - `SEGMENT_LOST`: the segment was moved, removed, replaced or hidden by a mount while the journal
 *   was open. Events appended since the last flush may be only in that file.
 * - `BUFFER_NOT_EMPTY`: events passed to `record` wait in memory because the disk refuses them;
 *   `buffered` says how many. Nothing is lost yet.
 * - `JOURNAL_CLOSED`: the journal is already closed.
 */
export class JournalWriteError extends PathError<JournalWriteErrorCode> {
  override readonly name = 'JournalWriteError'
  /** How many events wait in memory. */
  readonly buffered: number

  constructor(
    code: JournalWriteErrorCode,
    path: string,
    message: string,
    options: ErrorOptions & { buffered?: number } = {},
  ) {
    super(code, path, message, options)
    this.buffered = options.buffered ?? 0
  }
}
