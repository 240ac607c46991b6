// Finds and reads rows of `requests` for the folds.
import type { KnownRequest } from '../../folds/changes.js'
import { MAX_SHARED_ROWS } from '../../folds/completions.js'
import type { StoredRequest } from '../../folds/stored-request.js'
import { PACKED_COLUMNS } from '../outcome-columns.js'
import type { JournalConnection } from './journal-connection.js'

/** A row of `STORED_COLUMNS`. */
export interface StoredRow
  extends Omit<StoredRequest, 'labels' | 'isCompleted' | 'place' | 'isInSums' | 'completedBy' | 'price'> {
  labels: string | null
  segment_id: number
  byte_offset: number
  completed_segment_id: number | null
  completed_byte_offset: number | null
  price_segment_id: number | null
  price_byte_offset: number | null
}

/** The select list that gives rows for `storedRequestOf`. */
export const STORED_COLUMNS = `id, attempt, timestamp, model, provider, policy, streaming, latency_ms, success,
  stream_duration_ms, input_tokens, output_tokens, ${PACKED_COLUMNS.join(', ')},
  cost_sats, cost_usd, provider_cost_sats, provider_cost_usd, cost_source, cost_currency, labels,
  segment_id, byte_offset, completed_segment_id, completed_byte_offset, price_segment_id, price_byte_offset`

/** Converts a row for the folds. */
export function storedRequestOf({
  labels,
  segment_id,
  byte_offset,
  completed_segment_id,
  completed_byte_offset,
  price_segment_id,
  price_byte_offset,
  ...values
}: StoredRow): StoredRequest {
  return {
    ...values,
    ...(labels === null ? {} : { labels: JSON.parse(labels) }),
    isCompleted: completed_segment_id !== null,
    place: { segmentId: segment_id, byteOffset: byte_offset },
    isInSums: true,
    completedBy: placeOf(completed_segment_id, completed_byte_offset),
    price: placeOf(price_segment_id, price_byte_offset),
  }
}

function placeOf(segmentId: number | null, byteOffset: number | null): StoredRequest['completedBy'] {
  return segmentId === null || byteOffset === null ? null : { segmentId, byteOffset }
}

/** What completions of one correlation_id look for. */
export interface SoughtRequest {
  correlationId: string
  /** The rows that completions may change have lower ids. */
  beforeId: number
  /** How many completions there are. */
  count: number
  /** The attempts that they name, including null if one of them names none. */
  attempts: ReadonlySet<number | null>
}

/**
 * Finds the rows of `Known.requests`. Each correlation_id that is looked for gets a list, even if
 * no row has it.
 */
export async function findRequests(
  journal: JournalConnection,
  sought: readonly SoughtRequest[],
): Promise<Map<string, KnownRequest[]>> {
  // OFFSET 0 keeps the planner from reading a journal's ids from the primary key, in their order,
  // until a correlation_id matches. It may plan that while a month's partition is nearly empty, and
  // a prepared statement keeps its plan: 80,000 requests, half of them streams, took 288 s, not 14.
  const rows = await journal.all<StoredRow & { correlation_id: string; newer: number }>(
    `SELECT k.correlation_id, r.newer, ${STORED_COLUMNS}
     FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[])
       AS k(correlation_id, before_id, open_wanted, attempts)
     CROSS JOIN LATERAL (
       SELECT *, row_number() OVER newest - 1 AS newer,
         count(*) FILTER (WHERE streaming AND completed_segment_id IS NULL) OVER newest AS open_rank,
         row_number() OVER (PARTITION BY attempt ORDER BY id DESC) AS attempt_rank
       FROM (SELECT * FROM (
           SELECT * FROM requests WHERE correlation_id = k.correlation_id AND journal = $1 OFFSET 0
         ) found WHERE id < k.before_id ORDER BY id DESC LIMIT ${MAX_SHARED_ROWS}) shared
       WINDOW newest AS (ORDER BY id DESC)) r
     WHERE r.newer = 0 OR (r.attempt_rank = 1 AND r.attempt = ANY (k.attempts::bigint[]))
       OR (r.streaming AND r.completed_segment_id IS NULL AND r.open_rank <= k.open_wanted)
     ORDER BY k.correlation_id, r.newer`,
    sought.map(({ correlationId }) => correlationId),
    sought.map(({ beforeId }) => beforeId),
    sought.map(({ count, attempts }) => (attempts.has(null) ? count + 1 : 0)),
    sought.map(({ attempts }) => `{${[...attempts].filter((attempt) => attempt !== null).join(',')}}`),
  )
  const found = new Map<string, KnownRequest[]>(sought.map(({ correlationId }) => [correlationId, []]))
  for (const { correlation_id, newer, ...row } of rows) {
    found.get(correlation_id)?.push({ request: storedRequestOf(row), newer })
  }
  return found
}
