import { JournalWriteError } from '../errors.js'
import { isSameFile } from '../file-identity.js'
import type { JournalLogger } from './options.js'
import type { SegmentWriter } from './segment-writer.js'
import { quietly } from './warnings.js'

interface Loss {
  /** Its descriptor stays open until the writer goes on elsewhere: a new file could get the inode number otherwise. */
  writer: SegmentWriter
  /** What was appended to it since the last flush. */
  lines: number
  error: JournalWriteError
  isLogged: boolean
  /** A flush has rejected with it. */
  isTold: boolean
  /** The writer has gone on in another file. */
  isSettled: boolean
}

/**
 * The files that a segment's path no longer leads to, and how many events may be in them alone. A file that is opened
 * again, because somebody moved it back or gave it another name, is no loss any more.
 */
export class LostSegments {
  readonly #logger: JournalLogger
  #losses: Loss[] = []
  #settledLines = 0

  constructor(logger: JournalLogger) {
    this.#logger = logger
  }

  /** Events that may be in such a file alone. */
  get lines(): number {
    return this.#losses.reduce((sum, { lines }) => sum + lines, this.#settledLines)
  }

  /** No flush has rejected with one of them yet. */
  get isUntold(): boolean {
    return this.#losses.some(({ isTold }) => !isTold)
  }

  /** @param isLeft the writer had gone on elsewhere before, and closes this one itself. */
  add(writer: SegmentWriter, isLeft = false): void {
    // A look and a sync may both find it.
    if (this.#losses.some((loss) => loss.writer === writer)) return
    const { path, unflushedLines: lines } = writer
    const found = `${path} was moved, removed, replaced or hidden by a mount while it was written to`
    const text = `${found}: ${lines} event(s) appended since the last flush may be in that file alone`
    const error = new JournalWriteError('SEGMENT_LOST', path, text)
    this.#losses.push({ writer, lines, error, isLogged: false, isTold: false, isSettled: isLeft })
  }

  /** The writer goes on in this file: what was lost with it is back, everything else is settled. */
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

  /** Says in the log what hasn't been said yet. */
  report(): void {
    for (const loss of this.#losses.filter(({ isLogged }) => !isLogged)) {
      loss.isLogged = true
      const fields = { err: loss.error, path: loss.error.path, unflushed_events: loss.lines }
      quietly(() =>
        this.#logger.error(fields, 'Journal segment lost: events since the last flush may be gone'),
      )
    }
  }

  /** Why the flush that asks must reject; null when nothing is untold. */
  tell(): JournalWriteError | null {
    const error = this.#losses.find(({ isTold }) => !isTold)?.error ?? null
    for (const loss of this.#losses) loss.isTold = true
    this.#forget()
    return error
  }

  close(): void {
    for (const { writer, isSettled } of this.#losses) if (!isSettled) writer.close()
  }

  /** What nobody has to hear of any more is only a number. */
  #forget(): void {
    const isDone = (loss: Loss) => loss.isTold && loss.isSettled
    for (const loss of this.#losses.filter(isDone)) this.#settledLines += loss.lines
    this.#losses = this.#losses.filter((loss) => !isDone(loss))
  }
}
