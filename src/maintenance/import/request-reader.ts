import type { RequestLogged } from '../../events/event-types.js'
import { KINDS } from '../../events/value-kinds.js'
import { isInconsistent } from '../../folds/sums/counted-values.js'
import { TimeZone } from '../../queries/window/time-zone.js'
import { type ImportNote, ImportNotes } from './import-notes.js'
import { ImportTimes } from './import-times.js'
import { type Amounts, COSTS } from './import-totals.js'
import { hasSucceeded, type ImportedLines, importedLines } from './imported-lines.js'
import {
  type FoundRow,
  type ImportedRequest,
  type ImportSource,
  type LeftOut,
  RowProblem,
  type RowReader,
  type SourceRow,
} from './imported-row.js'
import { langfuseReader } from './langfuse.js'
import { litellmReader } from './litellm.js'
import { type ColumnMap, columnMap, joined, mappedFields } from './mapped-fields.js'
import { openrouterReader } from './openrouter.js'
import { type ImportOptions, isNamedByFields } from './options.js'

/** The same model as of a logged call whose request names none. */
const UNKNOWN_MODEL = 'unknown'

/** The fields of amounts, and which values of theirs an event can have. */
const AMOUNTS: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['input_tokens', KINDS.count.isValid],
  ['output_tokens', KINDS.count.isValid],
  ...COSTS.map((name) => [name, Number.isFinite] as const),
])

/** A reader of rows whose columns are all named by fields. */
const noReader = (): RowReader => ({ read: () => ({}), amounts: [] })

const READERS: Readonly<Record<ImportSource, (times: ImportTimes, notes: ImportNotes) => RowReader>> = {
  litellm: litellmReader,
  langfuse: langfuseReader,
  openrouter: openrouterReader,
  csv: noReader,
  sqlite: noReader,
}

/** Makes requests of the rows of one source. */
export class RequestReader {
  readonly #times: ImportTimes
  readonly #notes = new ImportNotes()
  readonly #rows: RowReader
  readonly #constants: SourceRow
  readonly #constantMap: ColumnMap
  readonly #options: ImportOptions
  readonly #now: number
  #map: ColumnMap = new Map()
  /** Whether any request has tokens or a cost. */
  #hasTokens = false
  #hasCosts = false
  /** How many times of imported requests were shown twice by the clocks of the zone. */
  ambiguousTimes = 0

  /**
   * @param now times after this are noted.
   * @throws QueryError INVALID_TIMEZONE
   */
  constructor(options: ImportOptions, now: number) {
    const { set = {}, timezone } = options
    const zone = timezone === undefined ? null : new TimeZone(timezone)
    this.#options = options
    this.#now = now
    this.#times = new ImportTimes(zone ?? (isNamedByFields(options) ? null : TimeZone.UTC))
    this.#rows = READERS[options.from](this.#times, this.#notes)
    this.#constants = { line: 0, get: (field) => set[field] }
    this.#constantMap = new Map(Object.keys(set).map((field) => [field, field]))
  }

  /**
   * Counts the oddities of the row that was read last, since its request is imported.
   *
   * @param isIdUsedAgain whether an earlier request of the file has the same id.
   */
  keepNotes(isIdUsedAgain: boolean): void {
    this.ambiguousTimes += this.#times.ambiguous
    if (isIdUsedAgain) {
      this.#notes.add(
        'its id is that of an earlier row, with another time, model, latency or tokens: both count',
      )
    }
    this.#notes.keepRow()
  }

  /** The oddities of requests that are imported. */
  get notes(): ImportNote[] {
    return this.#notes.list()
  }

  /** Sets which columns the source has. */
  setColumns(columns: readonly string[]): void {
    this.#map = columnMap(isNamedByFields(this.#options) ? columns : [], this.#options.map ?? {})
  }

  /**
   * @param place returns where the row is from.
   * @throws RowProblem; ZoneMissing
   */
  read(row: FoundRow, place: () => string): ImportedLines | LeftOut {
    if (row.problem !== null) throw new RowProblem(row.problem)
    this.#times.ambiguous = 0
    this.#notes.beginRow(row.line)
    const found = this.#rows.read(row)
    if ('leftOut' in found) return found
    const constant = mappedFields(this.#constants, this.#constantMap, this.#times)
    const request = joined(constant, found, mappedFields(row, this.#map, this.#times))
    if (request.model === undefined && !(request.success ?? hasSucceeded(request))) {
      // A request that fails before a model is chosen has none, and is imported all the same.
      this.#notes.add(`failed without a model: the model is '${UNKNOWN_MODEL}'`)
      request.model = UNKNOWN_MODEL
    }
    const read = importedLines(request, place)
    this.#noteOddities(read.request)
    return read
  }

  /** What a row carries that can't become a request, as far as it can be read. */
  amountsOf(row: FoundRow): Amounts {
    if (row.problem !== null) return {}
    const ofColumns = (from: SourceRow, map: ColumnMap) =>
      [...map]
        .filter(([, field]) => AMOUNTS.has(field))
        .map((column) => () => mappedFields(from, new Map([column]), this.#times))
    const parts = [
      ...ofColumns(this.#constants, this.#constantMap),
      ...this.#rows.amounts.map((readPart) => () => readPart(row)),
      ...ofColumns(row, this.#map),
    ]
    // The row may be rejected for an amount that no event can have, and no sum either.
    return Object.fromEntries(
      Object.entries(joined(...parts.map(readable))).filter(([name, value]) => AMOUNTS.get(name)?.(value)),
    )
  }

  #noteOddities(request: RequestLogged): void {
    const notes = this.#notes
    for (const cost of COSTS) {
      if ((request[cost] ?? 0) < 0) notes.add(`${cost} is less than 0, and counts as it is`)
    }
    if (Date.parse(request.timestamp) > this.#now) notes.add('the time is in the future')
    if (isInconsistent(request))
      notes.add('a part of the tokens is larger than the whole, such as cached ones')
    const hasCost = COSTS.some((name) => (request[name] ?? null) !== null)
    const hasTokens = request.input_tokens !== null
    this.#hasCosts ||= hasCost
    this.#hasTokens ||= hasTokens
    // A request that failed has none as a rule, and a source may know none at all.
    if (!request.success) return
    if (!hasCost) notes.add('succeeded without a cost', { isWorthTelling: () => this.#hasCosts })
    if (!hasTokens) notes.add('succeeded without input tokens', { isWorthTelling: () => this.#hasTokens })
  }
}

/** What can be read; nothing if it is what the row is rejected for. */
function readable(read: () => ImportedRequest): ImportedRequest {
  try {
    return read()
  } catch (error) {
    if (error instanceof RowProblem) return {}
    throw error
  }
}
