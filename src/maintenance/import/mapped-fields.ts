import { FIELDS } from '../../events/fields.js'
import type { ImportTimes } from './import-times.js'
import type { ImportedRequest, SourceRow } from './imported-row.js'
import { countOf, flagOf, labelsOf, membersOf, numberOf, textOf } from './row-values.js'

type ReadValue = (value: unknown, column: string, times: ImportTimes) => unknown

/** How a column's value is read, by the field that it is for. */
const READERS: ReadonlyMap<string, ReadValue> = new Map(
  Object.entries({ ...FIELDS.request_logged, stream_duration_ms: FIELDS.stream_completed.stream_duration_ms })
    .filter(([name]) => name !== 'labels')
    .map(([name, { kind }]): [string, ReadValue] => {
      if (name === 'timestamp') return [name, instantText]
      if (kind === 'flag') return [name, flagOf]
      if (kind === 'count') return [name, countOf]
      if (name === 'error_status') return [name, errorStatus]
      if (kind === 'identifier' || kind === 'text') return [name, (value) => textOf(value)]
      return [name, numberOf]
    }),
)

const LABEL = 'labels.'

/** The fields that a column can be for: those of `request_logged`, and `labels.NAME`. */
export const MAPPABLE_FIELDS: readonly string[] = [...READERS.keys(), `${LABEL}NAME`]

/** Whether a column can be for this field. */
export function isMappable(field: string): boolean {
  return READERS.has(field) || (field.startsWith(LABEL) && field.length > LABEL.length)
}

/** Maps each column that is read to its field. */
export type ColumnMap = ReadonlyMap<string, string>

/** Maps the columns that have the name of a field, and those that `map` names. */
export function columnMap(columns: readonly string[], map: Readonly<Record<string, string>>): ColumnMap {
  const taken = new Set(Object.values(map))
  const own = columns.filter((column) => isMappable(column) && !taken.has(column))
  return new Map([...own.map((column) => [column, column] as const), ...Object.entries(map)])
}

/** Reads the fields of a row that its columns give. @throws RowProblem; ZoneMissing */
export function mappedFields(row: SourceRow, map: ColumnMap, times: ImportTimes): ImportedRequest {
  const fields: Record<string, unknown> = {}
  const labels: Record<string, unknown> = { ...membersOf(row.get('labels')) }
  for (const [column, field] of map) {
    const value = row.get(column)
    if (field.startsWith(LABEL)) labels[field.slice(LABEL.length)] = value
    else fields[field] = READERS.get(field)?.(value, column, times) ?? undefined
  }
  return { ...fields, labels: labelsOf(labels) }
}

/** Joins what several sources have of one request. Later ones take precedence. */
export function joined(...parts: readonly ImportedRequest[]): ImportedRequest {
  const all: Record<string, unknown> = {}
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) {
      if (value === undefined || value === null) continue
      all[name] = name === 'labels' ? { ...(all['labels'] as object), ...(value as object) } : value
    }
  }
  return all
}

/** The status of an error; null for a success, whose status sources have in the same column. */
function errorStatus(value: unknown, column: string): number | null {
  const status = numberOf(value, column)
  return status !== null && status >= 100 && status < 400 ? null : status
}

function instantText(value: unknown, column: string, times: ImportTimes): string | null {
  const ms = times.instant(value, column)
  return ms === null ? null : new Date(ms).toISOString()
}
