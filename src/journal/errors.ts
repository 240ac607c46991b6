interface JournalErrorDetails {
  path: string
  cause?: unknown
}

/**
 * Thrown when a journal can't be opened or read.
 *
 * - `JOURNAL_MISSING`: there is no journal in the directory, and this call doesn't create one.
 * - `JOURNAL_INVALID`: journal.json is damaged, of another format, or gone while segments are there; or the directory is none.
 * - `JOURNAL_UNWRITABLE`: the directory or a file in it can't be created or opened for writing.
 * - `SEGMENT_UNREADABLE`: a segment can't be opened or read, or is not a regular file.
 * - `SEGMENTS_EXHAUSTED`: a day has used up its 999 segment numbers.
 */
export class JournalError extends Error {
  readonly code:
    | 'JOURNAL_MISSING'
    | 'JOURNAL_INVALID'
    | 'JOURNAL_UNWRITABLE'
    | 'SEGMENT_UNREADABLE'
    | 'SEGMENTS_EXHAUSTED'
  readonly path: string

  constructor(code: JournalError['code'], message: string, { path, cause }: JournalErrorDetails) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'JournalError'
    this.code = code
    this.path = path
  }
}

/**
 * Thrown by `append`, and what `flush` and `close` reject with.
 *
 * - `WRITE_FAILED`: the disk refused. The event was not written, with one exception: if only its newline could not be
 *   written, the next line completes it, and an event whose `append` threw is there all the same.
 * - `SYNC_FAILED`: fdatasync failed; what was appended since the last `flush` may not survive a power cut, and what
 *   comes now goes to another segment. Reported once: to the flushes that wait for that sync, else to the next one.
 * - `SYNC_INCOMPLETE`: the segment was synced, but its name may not survive a power cut yet, or can't be looked at, for
 *   want of descriptors for example. Nothing is known to be lost: flush again.
 * - `SEGMENT_LOST`: the segment was moved, removed, replaced or hidden by a mount under the writer; what was appended
 *   since the last flush may be only in that file.
 * - `BUFFER_NOT_EMPTY`: events of `record` wait in memory for the disk; `buffered` says how many. Nothing is lost yet.
 * - `JOURNAL_CLOSED`: the journal was closed before.
 */
export class JournalWriteError extends Error {
  readonly code:
    | 'WRITE_FAILED'
    | 'SYNC_FAILED'
    | 'SYNC_INCOMPLETE'
    | 'SEGMENT_LOST'
    | 'BUFFER_NOT_EMPTY'
    | 'JOURNAL_CLOSED'
  readonly path: string
  /** Events that wait in memory. */
  readonly buffered: number

  constructor(
    code: JournalWriteError['code'],
    message: string,
    { path, cause, buffered = 0 }: JournalErrorDetails & { buffered?: number },
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'JournalWriteError'
    this.code = code
    this.path = path
    this.buffered = buffered
  }
}
