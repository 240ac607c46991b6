import { TimeZone } from '../../queries/window/time-zone.js'
import { type ImportedLines, importedLines } from './imported-lines.js'
import { type FoundRow, type LeftOut, type ReadRow, RowProblem, type SourceRow } from './imported-row.js'
import { langfuseReader } from './langfuse.js'
import { litellmReader } from './litellm.js'
import { type ColumnMap, columnMap, joined, mappedFields } from './mapped-fields.js'
import { openrouterReader } from './openrouter.js'
import { type ImportOptions, isNamedByFields } from './options.js'
import { ImportTimes } from './times.js'

/** Makes requests of the rows of one source. */
export class RequestReader {
  readonly #times: ImportTimes
  readonly #readRow: ReadRow
  readonly #constants: SourceRow
  readonly #constantMap: ColumnMap
  readonly #options: ImportOptions
  #map: ColumnMap

  /** @throws QueryError INVALID_TIMEZONE */
  constructor(options: ImportOptions) {
    const { set = {}, map = {}, timezone } = options
    const zone = timezone === undefined ? null : new TimeZone(timezone)
    this.#options = options
    this.#times = new ImportTimes(zone ?? (isNamedByFields(options) ? null : TimeZone.UTC))
    this.#readRow = rowReader(options, this.#times)
    this.#constants = { line: 0, get: (field) => set[field] }
    this.#constantMap = new Map(Object.keys(set).map((field) => [field, field]))
    this.#map = columnMap([], map)
  }

  /** How many times were shown twice by the clocks of the zone. */
  get ambiguousTimes(): number {
    return this.#times.ambiguous
  }

  /** Tells which columns there are. */
  setColumns(columns: readonly string[]): void {
    this.#map = columnMap(isNamedByFields(this.#options) ? columns : [], this.#options.map ?? {})
  }

  /**
   * @param place says where the row is from.
   * @throws RowProblem; ZoneMissing
   */
  read(row: FoundRow, place: () => string): ImportedLines | LeftOut {
    if (row.problem !== null) throw new RowProblem(row.problem)
    const told = this.#readRow(row)
    if ('leftOut' in told) return told
    const constant = mappedFields(this.#constants, this.#constantMap, this.#times)
    return importedLines(joined(constant, told, mappedFields(row, this.#map, this.#times)), place)
  }
}

function rowReader({ from }: ImportOptions, times: ImportTimes): ReadRow {
  switch (from) {
    case 'litellm':
      return litellmReader(times)
    case 'langfuse':
      return langfuseReader(times)
    case 'openrouter':
      return openrouterReader(times)
    case 'csv':
    case 'sqlite':
      return () => ({})
    default:
      return from satisfies never
  }
}
