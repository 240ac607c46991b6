import { JournalWriteError } from '../errors.js'
import { isSameFile } from '../file-identity.js'
import type { JournalLogger } from '../logger.js'
import type { SegmentWriter } from './segment-writer.js'
import { quietly } from './warnings.js'

interface Loss {
  /** Stays open until another segment is opened: a new file could get its inode number. */
  writer: SegmentWriter
  /** How many events were appended to it since the last flush. */
  lines: number
  error: JournalWriteError
  isLogged: boolean
  /** Whether a flush has rejected with it. */
  isTold: boolean
  /** Whether another segment has been opened since, so that this file can't come back. */
  isSettled: boolean
}

/**
 * The files that were appended to and that the journal no longer has, and how many events may exist
 * only in them. A file that is opened again, because somebody moved it back or gave it another
 * name, isn't lost any more.
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

  /** Whether there is a loss that no flush has rejected with yet. */
  get isUntold(): boolean {
    return this.#losses.some(({ isTold }) => !isTold)
  }

  /** @param isLeft whether another segment is open already, so that the caller closes this one. */
  add(writer: SegmentWriter, isLeft = false): void {
    // A look and a sync may both find the same loss.
    if (this.#losses.some((loss) => loss.writer === writer)) return
    const { path, unflushedLines: lines } = writer
    const found = `${path} was moved, removed, replaced or hidden by a mount while it was written to`
    const text = `${found}: ${lines} event(s) appended since the last flush may be in that file alone`
    const error = new JournalWriteError('SEGMENT_LOST', path, text)
    this.#losses.push({ writer, lines, error, isLogged: false, isTold: false, isSettled: isLeft })
  }

  /** Called once a segment is open. If it was lost, it's back; every other loss is settled. */
  reopened(opened: SegmentWriter): void {
    for (const loss of this.#losses.filter(({ isSettled }) => !isSettled)) {
      loss.isSettled = true
      loss.writer.close()
      if (!isSameFile(loss.writer.file, opened.file)) continue
      opened.unflushedLines += loss.lines
      opened.isDirty = true
      this.#losses = this.#losses.filter((other) => other !== loss)
      if (!loss.isLogged) continue
      const fields = { path: opened.path, events: loss.lines }
      quietly(() => this.#logger.warn(fields, 'The journal segment is back: nothing is lost with it'))
    }
    this.#forget()
  }

  /** Logs each loss once. */
  report(): void {
    for (const loss of this.#losses.filter(({ isLogged }) => !isLogged)) {
      loss.isLogged = true
      const fields = { err: loss.error, path: loss.error.path, unflushed_events: loss.lines }
      quietly(() =>
        this.#logger.error(fields, 'Journal segment lost: events since the last flush may be gone'),
      )
    }
  }

  /** The error that the current flush must reject with; null if there is nothing left to tell. */
  tell(): JournalWriteError | null {
    const error = this.#losses.find(({ isTold }) => !isTold)?.error ?? null
    for (const loss of this.#losses) loss.isTold = true
    this.#forget()
    return error
  }

  close(): void {
    for (const { writer, isSettled } of this.#losses) if (!isSettled) writer.close()
  }

  /** Keeps only the number of events of losses that were told and settled. */
  #forget(): void {
    const isDone = (loss: Loss) => loss.isTold && loss.isSettled
    for (const loss of this.#losses.filter(isDone)) this.#settledLines += loss.lines
    this.#losses = this.#losses.filter((loss) => !isDone(loss))
  }
}
