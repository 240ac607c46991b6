import { JournalWriteError } from '../errors.js'
import { isSameFile } from '../file-identity.js'
import type { JournalLogger } from '../logger.js'
import type { SegmentWriter } from './segment-writer.js'
import { quietly } from './warnings.js'

/**
 * The files that were appended to and that the journal no longer has, and how many events may exist
 * only in them. A file that is opened again, because somebody moved it back or gave it another
 * name, isn't lost any more. Each loss is logged once, and is pending until a sync has rejected,
 * either with the error of that loss or with another one.
 */
export class LostSegments {
  readonly #logger: JournalLogger
  #losses: Loss[] = []
  #settledLines = 0

  constructor(logger: JournalLogger) {
    this.#logger = logger
  }

  /** How many events may exist only in such a file. */
  get lines(): number {
    return this.#losses.reduce((sum, { lines }) => sum + lines, this.#settledLines)
  }

  /** Whether the next sync must reject because of a loss, since none has yet. */
  get hasPendingError(): boolean {
    return this.#losses.some(({ isPending }) => isPending)
  }

  /**
   * @param isRetired whether another segment is open already, so that the caller closes this one.
   */
  add(writer: SegmentWriter, isRetired = false): void {
    // A look and a sync may both find the same loss.
    if (this.#losses.some((loss) => loss.writer === writer)) return
    const { path, unflushedLines: lines } = writer
    const found = `${path} was moved, removed, replaced or hidden by a mount while it was being written to`
    const text = `${found}: ${lines} event(s) appended since the last flush may be only in that file`
    const error = new JournalWriteError('SEGMENT_LOST', path, text)
    this.#losses.push({ writer, lines, error, isLogged: false, isPending: true, isSettled: isRetired })
  }

  /**
   * Called once a segment is open. If that segment was lost, it's back; every other loss is
   * settled.
   */
  segmentOpened(opened: SegmentWriter): void {
    for (const loss of this.#losses.filter(({ isSettled }) => !isSettled)) {
      loss.isSettled = true
      loss.writer.close()
      if (!isSameFile(loss.writer.file, opened.file)) continue
      opened.unflushedLines += loss.lines
      opened.isDirty = true
      this.#losses = this.#losses.filter((other) => other !== loss)
      if (!loss.isLogged) continue
      const fields = { path: opened.path, events: loss.lines }
      quietly(() => this.#logger.warn(fields, 'The journal segment is back: nothing in it is lost'))
    }
    this.#forget()
  }

  /** Logs each loss once. */
  logLosses(): void {
    for (const loss of this.#losses.filter(({ isLogged }) => !isLogged)) {
      loss.isLogged = true
      const fields = { err: loss.error, path: loss.error.path, unflushed_events: loss.lines }
      quietly(() =>
        this.#logger.error(fields, 'Journal segment lost: events since the last flush may be gone'),
      )
    }
  }

  /**
   * Returns the error of the first pending loss; null if there is none. The sync rejects with it,
   * unless it has failed already. After that, no loss is pending.
   */
  takePendingError(): JournalWriteError | null {
    const error = this.#losses.find(({ isPending }) => isPending)?.error ?? null
    for (const loss of this.#losses) loss.isPending = false
    this.#forget()
    return error
  }

  close(): void {
    for (const { writer, isSettled } of this.#losses) if (!isSettled) writer.close()
  }

  /** Forgets the losses that are settled and not pending, except for the number of their events. */
  #forget(): void {
    const isDone = (loss: Loss) => loss.isSettled && !loss.isPending
    for (const loss of this.#losses.filter(isDone)) this.#settledLines += loss.lines
    this.#losses = this.#losses.filter((loss) => !isDone(loss))
  }
}

interface Loss {
  /**
   * Kept open until another segment is open; otherwise a new file could get the same inode number.
   */
  writer: SegmentWriter
  /** How many events have been appended to it since the last flush. */
  lines: number
  error: JournalWriteError
  isLogged: boolean
  /** Whether the next sync must reject because of it, since none has yet. */
  isPending: boolean
  /** Whether another segment has been opened since, so that this file can't come back. */
  isSettled: boolean
}
