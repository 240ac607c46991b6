import type { RequestLog } from '../../events/event-types.js'

/** The kinds of files that can be imported. */
export const IMPORT_SOURCES = ['litellm', 'langfuse', 'openrouter', 'csv', 'sqlite'] as const

export type ImportSource = (typeof IMPORT_SOURCES)[number]

/** One row of a source: a record of a CSV file, an object of a JSON file, a row of a table. */
export interface SourceRow {
  /** The line of the file on which it begins, from 1; in a table, the number of the row. */
  line: number
  /** A column's value; undefined or empty if the row has no such column. */
  get(column: string): unknown
}

/** A row as it was found, perhaps broken. */
export interface FoundRow extends SourceRow {
  /** Why it can't be used. */
  problem: string | null
  /** The text of the row in the file, or JSON for a row of a table. */
  source(): string
}

/**
 * A request as a source has it; what the source lacks is left out. It becomes one event, or two if
 * it was streamed.
 */
export type ImportedRequest = { [Field in keyof RequestLog]?: RequestLog[Field] | undefined } & {
  /** The time from the first byte of a stream to the last; null: unknown. */
  stream_duration_ms?: number | null | undefined
}

/** A row that isn't a request, such as a span of a trace. It isn't counted as refused. */
export interface LeftOut {
  leftOut: string
}

/** Reads a part of a request from a row. @throws RowProblem */
export type ReadPart = (row: SourceRow) => ImportedRequest

/** How the rows of a source are read. */
export interface RowReader {
  /** Makes a request of a row. @throws RowProblem */
  read(row: SourceRow): ImportedRequest | LeftOut
  /** These read the tokens and the cost by themselves, since a rejected row may have them too. */
  amounts: readonly ReadPart[]
}

/** Thrown when a row can't become a request; the other rows are still read. */
export class RowProblem extends Error {
  override readonly name = 'RowProblem'
}
