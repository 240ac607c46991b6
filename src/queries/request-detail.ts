import type { Database } from '../storage/database.js'
import type { RequestEntry } from './request-entry.js'

/** Where a line stands in the journal. */
export interface JournalPlace {
  /** The segment's name. */
  segment: string
  byte_offset: number
}

/** A line as the journal has it, or why it can't be shown. */
export type JournalLine = { text: string } | { text: null; reason: string }

/** The body of `GET /v1/requests/:id`: the whole row. */
export interface RequestDetail extends RequestEntry {
  correlation_id: string
  policy: string | null
  provider_cost_sats: number | null
  labels: Record<string, string> | null
  /** Null: the row was there before the journal. */
  place: JournalPlace | null
  /** Of the stream_completed that changed the row last; null: none has. */
  completed_place: JournalPlace | null
  line: JournalLine
  /** Null: there is no completion. */
  completed_line: JournalLine | null
}

export interface GetRequestOptions {
  /** The journal's directory. @default the lines are not read */
  journal?: string | undefined
}

/** One request with all that is known of it, the journal's own lines included; null when there is no such id. */
export async function getRequest(
  _database: Database,
  _id: number,
  _options: GetRequestOptions = {},
): Promise<RequestDetail | null> {
  throw new Error('on its way')
}
