import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { nodeFileSystem } from '../../journal/file-system.js'
import { readOrCreateIdentity } from '../../journal/journal-identity.js'
import { listSegments } from '../../journal/segments.js'
import { acquireImportLock } from '../../store/sqlite/connection/lock.js'
import { countText, wholeNumber } from '../count-text.js'
import { InputError } from '../errors.js'
import type { ImportResult } from './import-result.js'
import { ImportTally } from './import-tally.js'
import { ZoneMissing } from './import-times.js'
import type { ImportedLines } from './imported-lines.js'
import { type FoundRow, RowProblem } from './imported-row.js'
import { KnownRequests } from './known-requests.js'
import {
  checkImportOptions,
  checkSourceColumns,
  type ImportOptions,
  optionsIn,
  optionWords,
} from './options.js'
import { RejectedRows } from './rejected-rows.js'
import { RequestReader } from './request-reader.js'
import { openFile, openTableOf, type Source } from './source.js'
import { MAX_PARTS, StagedImports, type StagingPorts } from './staged-import.js'

/** Writers look each second; the rest allows for a busy machine. */
const NOTICE_MS = 3000

/** How many rows are read between two reports of progress. */
const REPORTED_ROWS = 1024

/**
 * Imports requests that another program has logged into a journal, once. They keep their timestamps
 * and get segments of their own, all of them or none: after a kill the next run finishes what was
 * begun, and a second run of the same file adds nothing. Writers and projectors may run meanwhile.
 *
 * @throws InputError FILE_UNREADABLE, INVALID_CSV, INVALID_VALUE; IMPORTED_OTHERWISE if the file
 *   was imported with other options; ROWS_REJECTED. Then nothing was added.
 * @throws QueryError INVALID_TIMEZONE; RangeError for an option that doesn't fit, naming it.
 * @throws JournalError JOURNAL_INVALID, JOURNAL_UNWRITABLE, SEGMENTS_EXHAUSTED; DatabaseError
 *   PROJECTOR_RUNNING while another import works on this journal.
 */
export async function importRequests(options: ImportOptions): Promise<ImportResult> {
  return await importWith(options, { now: Date.now, noticeMs: NOTICE_MS, maxParts: MAX_PARTS, onStep() {} })
}

/** @internal The same with another clock, and with a call at each step, for tests. */
export async function importWith(options: ImportOptions, ports: StagingPorts): Promise<ImportResult> {
  checkImportOptions(options)
  const run = await ImportRun.open(options, ports.now())
  try {
    return options.dryRun === true ? await run.plan(ports) : await run.import(ports)
  } finally {
    run.close()
  }
}

interface OpenedSource {
  path: string
  source: Source
  reader: RequestReader
  mtimeNs: bigint
}

interface Outcome {
  journalId: string | null
  finished?: string[]
  segments?: string[]
  isKnown?: boolean
}

/** One run of an import: reads a source, and stores its lines. */
class ImportRun {
  readonly #options: ImportOptions
  readonly #opened: OpenedSource
  readonly #tally = new ImportTally()
  readonly #rejected: RejectedRows
  /** The SHA-256 of what is read. */
  readonly #content: string
  readonly #words: string
  readonly #id: string

  private constructor(options: ImportOptions, opened: OpenedSource, content: string) {
    this.#options = options
    this.#opened = opened
    this.#rejected = new RejectedRows(options.rejected, () => opened.source.heading())
    this.#content = content
    this.#words = optionWords(options)
    this.#id = createHash('sha256').update(`${content} ${this.#words}`).digest('hex').slice(0, 32)
  }

  static async open(options: ImportOptions, now: number): Promise<ImportRun> {
    const { from, table = '', onProgress } = options
    const path = resolve(options.file)
    const reader = new RequestReader(options, now)
    const check = (columns: readonly string[]) => {
      checkSourceColumns(path, options, columns)
      reader.setColumns(columns)
    }
    const source =
      from === 'sqlite'
        ? openTableOf(path, table, check)
        : await openFile(path, check, options.rejected !== undefined)
    try {
      const { mtimeNs, size } = statSync(path, { bigint: true })
      const total = from === 'sqlite' ? null : Number(size)
      let done = 0
      const content = await source.contentHash((bytes) => {
        done += bytes
        // The bytes are counted after decompression, so there may be more than the file has.
        onProgress?.({ step: 'hashing', done, total: total === null || done > total ? null : total })
      })
      return new ImportRun(options, { path, source, reader, mtimeNs }, content)
    } catch (error) {
      source.close()
      throw error
    }
  }

  close(): void {
    this.#rejected.close()
    this.#opened.source.close()
  }

  async plan(ports: StagingPorts): Promise<ImportResult> {
    const directory = resolve(this.#options.journal)
    const staged = new StagedImports(directory, ports)
    const segments = this.#knownSegments(staged)
    if (segments.length > 0) return await this.#knownResult({ journalId: null, segments })
    await this.#readRows(directory, async () => {})
    if (this.#tally.requests > 0) staged.checkRoom()
    return this.#result({ journalId: null })
  }

  async import(ports: StagingPorts): Promise<ImportResult> {
    await this.#checkBeginning()
    const directory = resolve(this.#options.journal)
    const modes = { file: 0o600, directory: 0o700 }
    const journalId = readOrCreateIdentity(directory, modes, ports.now(), nodeFileSystem).journal_id
    const lock = acquireImportLock(directory)
    try {
      const staged = new StagedImports(directory, ports)
      const finished = await staged.finishInterrupted()
      const known = this.#knownSegments(staged)
      if (known.length > 0) return await this.#knownResult({ journalId, finished, segments: known })
      const file = basename(this.#opened.path)
      const origin = { id: this.#id, content: this.#content, options: this.#words, file }
      const segments = await staged.add(
        origin,
        async (spool) => {
          await this.#readRows(directory, ({ request, lines }) => spool.add(request.timestamp, lines))
          this.#checkRejected()
        },
        (done, total) => this.#options.onProgress?.({ step: 'storing', done, total }),
      )
      return this.#result({ journalId, finished, segments })
    } catch (error) {
      this.#rejected.discard()
      throw error
    } finally {
      lock.release()
    }
  }

  /** The segments of this file, if it was imported. @throws InputError IMPORTED_OTHERWISE */
  #knownSegments(staged: StagedImports): string[] {
    const parts = staged.recorded().filter(({ origin }) => origin.content === this.#content)
    const other = parts.find(({ origin }) => origin.id !== this.#id)
    if (other === undefined) return parts.map(({ segment }) => segment)
    const then = optionsIn(other.origin.options)
    const now = optionsIn(this.#words)
    const only = (words: readonly string[], others: readonly string[]) =>
      words.filter((word) => !others.includes(word)).join(' ') || 'none'
    const found = `it was imported before, with other options (now ${only(now, then)}, then ${only(then, now)}), so its requests would be in the journal twice`
    const undo = `request-journal import --undo ${other.origin.id.slice(0, 8)}`
    const advice = `if the earlier options were wrong, take that import out first (\`${undo}\`; see "How to take an import back" in docs/import.md); rows that were rejected then can be imported by themselves: --rejected FILE with the earlier options writes them to a file`
    const text = `${found}: ${advice}`
    throw new InputError('IMPORTED_OTHERWISE', this.#opened.path, text)
  }

  /** Finds what is wrong with the whole file, before a journal is made for it. */
  async #checkBeginning(): Promise<void> {
    for await (const row of this.#opened.source.rows()) {
      try {
        this.#opened.reader.read(row, () => '')
      } catch (error) {
        if (!(error instanceof RowProblem)) throw this.#asInputError(error, row.line)
      }
      return
    }
  }

  async #readRows(directory: string, use: (lines: ImportedLines) => Promise<void>): Promise<void> {
    const tally = this.#tally
    const known = new KnownRequests(directory)
    try {
      for await (const row of this.#opened.source.rows()) {
        tally.rows++
        if (tally.rows % REPORTED_ROWS === 0) {
          this.#options.onProgress?.({ step: 'reading', done: tally.rows, total: null })
        }
        const read = this.#read(row)
        if (read === null) continue
        const found = await known.add(read)
        if (found !== null) tally.addKnown(read, found)
        else {
          tally.add(read)
          this.#opened.reader.keepNotes(read.hasOwnId && known.addId(read.request))
          await use(read)
        }
      }
    } finally {
      known.close()
    }
    this.#checkUnchanged()
  }

  /**
   * The result for a file that was imported before. The rows that were rejected then can still be
   * written.
   */
  async #knownResult(outcome: Outcome): Promise<ImportResult> {
    if (this.#options.rejected !== undefined) {
      for await (const row of this.#opened.source.rows()) {
        this.#tally.rows++
        this.#read(row)
      }
    }
    return this.#result({ ...outcome, isKnown: true })
  }

  /** Reads a row; null if it isn't a request, or was rejected. */
  #read(row: FoundRow): ImportedLines | null {
    const tally = this.#tally
    try {
      const read = this.#opened.reader.read(row, () => `${this.#content}/${row.line}/${tally.rows}`)
      if (!('leftOut' in read)) return read
      tally.leftOut++
    } catch (error) {
      if (!(error instanceof RowProblem)) throw this.#asInputError(error, row.line)
      tally.refuse(row.line, error.message, this.#opened.reader.amountsOf(row))
      this.#rejected.add(row)
    }
    return null
  }

  /** @throws InputError ROWS_REJECTED */
  #checkRejected(): void {
    const { rejected, rows, rejections, hasTooManyRejected } = this.#tally
    const [first] = rejections
    if (!hasTooManyRejected || this.#options.allowRejected === true || first === undefined) return
    const found = `${countText(rejected, 'row')} of ${wholeNumber(rows)} would be rejected, so nothing was imported: the first is line ${first.line}: ${first.reason}`
    const advice = 'a dry run names them; --allow-rejected takes the others'
    throw new InputError('ROWS_REJECTED', this.#opened.path, `${found}; ${advice}`)
  }

  #checkUnchanged(): void {
    const { path, mtimeNs } = this.#opened
    // The rows of a table were read at one moment.
    if (this.#options.from === 'sqlite' || statSync(path, { bigint: true }).mtimeNs === mtimeNs) return
    const found = 'the file changed while it was read: expected one that nobody writes to any more'
    throw new InputError('FILE_UNREADABLE', path, found)
  }

  #asInputError(error: unknown, line: number): unknown {
    if (!(error instanceof ZoneMissing)) return error
    return new InputError('INVALID_VALUE', this.#opened.path, error.message, { line, cause: error })
  }

  #result({ journalId, finished = [], segments = [], isKnown = false }: Outcome): ImportResult {
    const tally = this.#tally
    const isDry = this.#options.dryRun === true
    const there = new Set(listSegments(resolve(this.#options.journal)).map(({ name }) => name))
    return {
      dry_run: isDry,
      journal_id: journalId,
      import_id: this.#id,
      already_imported: isKnown,
      finished,
      rows: tally.rows,
      requests: tally.requests,
      event_count: tally.events,
      already_there: tally.knownFrom.journal,
      already_there_differing: tally.differing.journal,
      repeated: tally.knownFrom.file,
      repeated_differing: tally.differing.file,
      rejected: tally.rejected,
      too_many_rejected: tally.hasTooManyRejected,
      left_out: tally.leftOut,
      rejections: tally.rejections,
      ambiguous_times: this.#opened.reader.ambiguousTimes,
      notes: this.#opened.reader.notes,
      from: tally.from,
      to: tally.to,
      totals: tally.sums.imported.totals(),
      already_there_totals: tally.sums.journal.totals(),
      repeated_totals: tally.sums.file.totals(),
      rejected_totals: tally.sums.rejected.totals(),
      segments,
      segments_gone: segments.filter((name) => !there.has(name)).length,
      events: isDry ? tally.shown : [],
    }
  }
}
