import { TimeZone } from '../../queries/window/time-zone.js'
import { ImportNotes } from './import-notes.js'
import { COSTS } from './import-tally.js'
import { ImportTimes } from './import-times.js'
import { hasSucceeded, type ImportedLines, importedLines } from './imported-lines.js'
import { type FoundRow, type LeftOut, type ReadRow, RowProblem, type SourceRow } from './imported-row.js'
import { langfuseReader } from './langfuse.js'
import { litellmReader } from './litellm.js'
import { type ColumnMap, columnMap, joined, mappedFields } from './mapped-fields.js'
import { openrouterReader } from './openrouter.js'
import { type ImportOptions, isNamedByFields } from './options.js'

/** The same model as of a logged call whose request names none. */
const UNKNOWN_MODEL = 'unknown'

/** Makes requests of the rows of one source. */
export class RequestReader {
  readonly #times: ImportTimes
  readonly #notes = new ImportNotes()
  readonly #readRow: ReadRow
  readonly #constants: SourceRow
  readonly #constantMap: ColumnMap
  readonly #options: ImportOptions
  readonly #now: number
  #map: ColumnMap
  /** How many times of imported requests were shown twice by the clocks of the zone. */
  ambiguousTimes = 0

  /**
   * @param now times after this are noted.
   * @throws QueryError INVALID_TIMEZONE
   */
  constructor(options: ImportOptions, now: number) {
    const { set = {}, map = {}, timezone } = options
    const zone = timezone === undefined ? null : new TimeZone(timezone)
    this.#options = options
    this.#now = now
    this.#times = new ImportTimes(zone ?? (isNamedByFields(options) ? null : TimeZone.UTC))
    this.#readRow = rowReader(options, this.#times, this.#notes)
    this.#constants = { line: 0, get: (field) => set[field] }
    this.#constantMap = new Map(Object.keys(set).map((field) => [field, field]))
    this.#map = columnMap([], map)
  }

  /** Counts the oddities of the row that was read last, since its request is imported. */
  keepNotes(): void {
    this.ambiguousTimes += this.#times.ambiguous
    this.#notes.keepRow()
  }

  /** The oddities of requests that are imported. */
  get notes(): { note: string; count: number }[] {
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
    this.#notes.beginRow()
    const found = this.#readRow(row)
    if ('leftOut' in found) return found
    const constant = mappedFields(this.#constants, this.#constantMap, this.#times)
    const request = joined(constant, found, mappedFields(row, this.#map, this.#times))
    for (const cost of COSTS) if ((request[cost] ?? 0) < 0) this.#notes.add(`${cost} is less than 0`)
    if (Date.parse(request.timestamp ?? '') > this.#now) this.#notes.add('its time is in the future')
    if (request.model !== undefined || (request.success ?? hasSucceeded(request)))
      return importedLines(request, place)
    // A request that fails before a model is chosen has none, and is imported all the same.
    this.#notes.add(`a failure without a model: its model is '${UNKNOWN_MODEL}'`)
    return importedLines({ ...request, model: UNKNOWN_MODEL }, place)
  }
}

function rowReader({ from }: ImportOptions, times: ImportTimes, notes: ImportNotes): ReadRow {
  switch (from) {
    case 'litellm':
      return litellmReader(times, notes)
    case 'langfuse':
      return langfuseReader(times, notes)
    case 'openrouter':
      return openrouterReader(times)
    case 'csv':
    case 'sqlite':
      return () => ({})
    default:
      return from satisfies never
  }
}
