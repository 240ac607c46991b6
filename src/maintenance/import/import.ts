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
import { type FoundRow, type LeftOut, RowProblem } from './imported-row.js'
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
import { openFile, type Source } from './source.js'
import { MAX_PARTS, StagedImports, type StagingPorts } from './staged-import.js'
import { openTable } from './table-rows.js'

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
  const path = resolve(options.file)
  const reader = new RequestReader(options, ports.now())
  const source = await openSource(path, options, (columns) => {
    checkSourceColumns(path, options, columns)
    reader.setColumns(columns)
  })
  const rejected = new RejectedRows(options.rejected, () => source.heading())
  try {
    const { mtimeNs, size } = statSync(path, { bigint: true })
    const total = options.from === 'sqlite' ? null : Number(size)
    let done = 0
    const content = await source.contentHash((bytes) => {
      done += bytes
      // The bytes are counted after decompression, so there may be more than the file has.
      options.onProgress?.({ step: 'hashing', done, total: total === null || done > total ? null : total })
    })
    const run = new ImportRun(options, ports, { path, source, reader, rejected, mtimeNs, content })
    return options.dryRun === true ? await run.plan() : await run.import()
  } finally {
    rejected.close()
    source.close()
  }
}

async function openSource(
  path: string,
  { from, table = '', rejected }: ImportOptions,
  check: (columns: readonly string[]) => void,
): Promise<Source> {
  return from === 'sqlite'
    ? openTable(path, table, check)
    : await openFile(path, check, rejected !== undefined)
}

interface Given {
  path: string
  source: Source
  reader: RequestReader
  rejected: RejectedRows
  mtimeNs: bigint
  /** The SHA-256 of what is read. */
  content: string
}

type Outcome = Partial<Pick<ImportResult, 'journal_id' | 'already_imported' | 'finished' | 'segments'>>

/** One run of an import: reads a source, and stores its lines. */
class ImportRun {
  readonly #options: ImportOptions
  readonly #ports: StagingPorts
  readonly #given: Given
  readonly #directory: string
  readonly #staged: StagedImports
  readonly #tally = new ImportTally()
  readonly #words: string
  readonly #id: string

  constructor(options: ImportOptions, ports: StagingPorts, given: Given) {
    this.#options = options
    this.#ports = ports
    this.#given = given
    this.#directory = resolve(options.journal)
    this.#staged = new StagedImports(this.#directory, ports)
    this.#words = optionWords(options)
    this.#id = createHash('sha256').update(`${given.content} ${this.#words}`).digest('hex').slice(0, 32)
  }

  async plan(): Promise<ImportResult> {
    const segments = this.#knownSegments()
    if (segments.length > 0) return await this.#knownResult({ segments })
    await this.#readRows(async () => {})
    if (this.#tally.counts.requests > 0) this.#staged.firstFree(1)
    return this.#result({})
  }

  async import(): Promise<ImportResult> {
    await this.#checkBeginning()
    const modes = { file: 0o600, directory: 0o700 }
    const now = this.#ports.now()
    const { journal_id } = readOrCreateIdentity(this.#directory, modes, now, nodeFileSystem)
    const lock = acquireImportLock(this.#directory)
    try {
      const finished = await this.#staged.finishInterrupted()
      const known = this.#knownSegments()
      if (known.length > 0) return await this.#knownResult({ journal_id, finished, segments: known })
      const { path, content } = this.#given
      const segments = await this.#staged.add(
        { id: this.#id, content, options: this.#words, file: basename(path) },
        async (spool) => {
          await this.#readRows(({ request, lines }) => spool.add(request.timestamp, lines))
          this.#checkRejected()
        },
        (done, total) => this.#options.onProgress?.({ step: 'storing', done, total }),
      )
      return this.#result({ journal_id, finished, segments })
    } catch (error) {
      this.#given.rejected.discard()
      throw error
    } finally {
      lock.release()
    }
  }

  /** The segments of this file, if it was imported. @throws InputError IMPORTED_OTHERWISE */
  #knownSegments(): string[] {
    const parts = this.#staged.recorded().filter(({ origin }) => origin.content === this.#given.content)
    const other = parts.find(({ origin }) => origin.id !== this.#id)
    if (other === undefined) return parts.map(({ segment }) => segment)
    const then = optionsIn(other.origin.options)
    const now = optionsIn(this.#words)
    const only = (words: readonly string[], others: readonly string[]) =>
      words.filter((word) => !others.includes(word)).join(' ') || 'none'
    const found = `it was imported before, with other options (now ${only(now, then)}, then ${only(then, now)}), so its requests would be in the journal twice`
    const undo = `request-journal import --undo ${other.origin.id.slice(0, 8)}`
    const advice = `if the earlier options were wrong, take that import out first (\`${undo}\`; see "How to take an import back" in docs/import.md); rows that were rejected then can be imported by themselves: --rejected FILE with the earlier options writes them to a file`
    throw new InputError('IMPORTED_OTHERWISE', this.#given.path, `${found}: ${advice}`)
  }

  /** Finds what is wrong with the whole file, before a journal is made for it. */
  async #checkBeginning(): Promise<void> {
    for await (const row of this.#given.source.rows()) {
      this.#parse(row, () => '')
      return
    }
  }

  async #readRows(use: (lines: ImportedLines) => Promise<void>): Promise<void> {
    const tally = this.#tally
    const { source, reader, path, mtimeNs } = this.#given
    const known = new KnownRequests(this.#directory)
    try {
      for await (const row of source.rows()) {
        const read = this.#read(row)
        const { rows } = tally.counts
        if (rows % REPORTED_ROWS === 0) {
          this.#options.onProgress?.({ step: 'reading', done: rows, total: null })
        }
        if (read === null) continue
        const found = await known.add(read)
        if (found !== null) tally.addKnown(read, found)
        else {
          tally.add(read)
          reader.keepNotes(read.hasOwnId && known.addId(read.request))
          await use(read)
        }
      }
    } finally {
      known.close()
    }
    // The rows of a table were read at one moment.
    if (this.#options.from === 'sqlite' || statSync(path, { bigint: true }).mtimeNs === mtimeNs) return
    const found = 'the file changed while it was being read: expected one that nobody writes to any more'
    throw new InputError('FILE_UNREADABLE', path, found)
  }

  /**
   * The result for a file that was imported before. The rows that were rejected then can still be
   * written.
   */
  async #knownResult(outcome: Outcome): Promise<ImportResult> {
    if (this.#options.rejected !== undefined) {
      for await (const row of this.#given.source.rows()) this.#read(row)
    }
    return this.#result({ ...outcome, already_imported: true })
  }

  /** Reads and counts a row; null if it isn't a request, or was rejected. */
  #read(row: FoundRow): ImportedLines | null {
    const tally = this.#tally
    const { content, reader, rejected } = this.#given
    const number = ++tally.counts.rows
    const read = this.#parse(row, () => `${content}/${row.line}/${number}`)
    if (read instanceof RowProblem) {
      tally.refuse(row.line, read.message, reader.amountsOf(row))
      rejected.add(row)
    } else if ('leftOut' in read) tally.leftOut++
    else return read
    return null
  }

  /** @throws InputError INVALID_VALUE for a time without an offset while no zone was given. */
  #parse(row: FoundRow, place: () => string): ImportedLines | LeftOut | RowProblem {
    try {
      return this.#given.reader.read(row, place)
    } catch (error) {
      if (error instanceof RowProblem) return error
      if (!(error instanceof ZoneMissing)) throw error
      throw new InputError('INVALID_VALUE', this.#given.path, error.message, { line: row.line, cause: error })
    }
  }

  /** @throws InputError ROWS_REJECTED */
  #checkRejected(): void {
    const { counts, rejections, hasTooManyRejected } = this.#tally
    const [first] = rejections
    if (!hasTooManyRejected || this.#options.allowRejected === true || first === undefined) return
    const found = `${countText(counts.rejected, 'row')} of ${wholeNumber(counts.rows)} would be rejected, so nothing was imported: the first is line ${first.line}: ${first.reason}`
    const advice = 'a dry run names them; --allow-rejected takes the others'
    throw new InputError('ROWS_REJECTED', this.#given.path, `${found}; ${advice}`)
  }

  #result(outcome: Outcome): ImportResult {
    const { journal_id = null, already_imported = false, finished = [], segments = [] } = outcome
    const tally = this.#tally
    const isDry = this.#options.dryRun === true
    const there = new Set(listSegments(this.#directory).map(({ name }) => name))
    return {
      dry_run: isDry,
      journal_id,
      import_id: this.#id,
      already_imported,
      finished,
      ...tally.counts,
      too_many_rejected: tally.hasTooManyRejected,
      left_out: tally.leftOut,
      rejections: tally.rejections,
      ambiguous_times: this.#given.reader.ambiguousTimes,
      notes: this.#given.reader.notes,
      from: tally.from,
      to: tally.to,
      totals: tally.sums.imported.totals(),
      already_there_totals: tally.sums.already_there.totals(),
      repeated_totals: tally.sums.repeated.totals(),
      rejected_totals: tally.sums.rejected.totals(),
      segments,
      segments_gone: segments.filter((name) => !there.has(name)).length,
      events: isDry ? tally.shown : [],
    }
  }
}
