import type { Database } from '../storage/database.js'
import type { RequestFilter } from './filter.js'
import { type EchoedWindow, echoWindow, type Window } from './window.js'
import { windowCondition } from './window-condition.js'

export type StatsGroupBy = 'model' | 'tier' | 'provider' | 'policy' | 'hour' | 'day' | `label:${string}`

export interface StatsOptions extends RequestFilter {
  /** @default only the whole is counted */
  groupBy?: StatsGroupBy | undefined
  /** Adds percentiles of the latency. @default false */
  percentiles?: boolean | undefined
  /** Adds how many requests have no known cost. @default false */
  unpriced?: boolean | undefined
}

/** Counts, costs and performance of some requests. Sums are 0, never null, where nothing is known. */
export interface StatsSection {
  counts: {
    total: number
    success: number
    error: number
    streaming: number
    /** Requests whose cost is unknown; only when asked for. */
    unpriced?: number
  }
  /** Costs in satoshis. What is unknown adds nothing. */
  costs: { total_cost_sats: number; total_input_tokens: number; total_output_tokens: number }
  performance: {
    /** Not rounded, failures included; 0 for no requests. */
    avg_latency_ms: number
    /** Within 1/64 of the latency by nearest rank; null for no requests. Only when asked for. */
    p50_latency_ms?: number | null
    p95_latency_ms?: number | null
    p99_latency_ms?: number | null
  }
}

/** The body of `GET /v1/stats`. At most one of its groups is there: the one asked for. */
export interface Stats extends StatsSection, EchoedWindow {
  /** There only when nothing matched. */
  empty?: true
  message?: string
  /**
   * Every model in the database, zeroed when quiet, under the spelling that came first. All filters apply but the
   * model's.
   */
  models?: Record<string, StatsSection>
  /** By the label `tier`: `local`, `standard` and `frontier` always, `unknown` when a request has none. */
  tiers?: Record<string, StatsSection>
  /** Those with requests; `unknown` has those without one, here and below. */
  providers?: Record<string, StatsSection>
  policies?: Record<string, StatsSection>
  /** By the value of the label asked for. */
  labels?: Record<string, StatsSection>
  /** Those with requests, in order, by their beginning: `2026-11-22T19:00:00.000Z`. */
  hours?: Record<string, StatsSection>
  /** Those with requests, in order: `2026-11-22`. */
  days?: Record<string, StatsSection>
}

interface SectionRow {
  total: number
  success: number
  streaming: number
  cost_sats: number
  input_tokens: number
  output_tokens: number
  latency_ms: number
}

/** Counts the requests of a window, whole and groups from one read transaction, so that the groups add up. */
export function stats(database: Database, options: StatsOptions = {}): Stats {
  return database.transaction(() => {
    const whole = readWhole(database, options)
    const isEmpty = whole.counts.total === 0
    return {
      ...echoWindow(options),
      ...(isEmpty ? { empty: true as const, message: 'No requests found in the specified time range' } : {}),
      ...whole,
      ...(options.groupBy === 'model' ? { models: readModels(database, options) } : {}),
    }
  })()
}

function readWhole(database: Database, window: Window): StatsSection {
  const { sql, parameters } = windowCondition(window)
  const statement = database.prepare<[Window], SectionRow>(
    `SELECT ${aggregates('TRUE')} FROM requests WHERE ${sql}`,
  )
  const row = statement.get(parameters)
  if (row === undefined) throw new Error('an aggregate always has one row')
  return section(row)
}

/**
 * One group for all spellings that differ in ASCII case, under the one that came first: the key of a group never
 * changes while requests are added. min(id) is what makes SQLite take `model` from that row.
 */
function readModels(database: Database, window: Window): Record<string, StatsSection> {
  const { sql, parameters } = windowCondition(window)
  const statement = database.prepare<[Window], SectionRow & { model: string }>(
    `SELECT model, min(id), ${aggregates(sql)} FROM requests
     GROUP BY model COLLATE NOCASE ORDER BY model COLLATE NOCASE`,
  )
  // fromEntries, because assigning to a key named __proto__ would set a prototype instead.
  return Object.fromEntries(statement.all(parameters).map((row) => [row.model, section(row)]))
}

/** total() rather than sum(): 0.0 for no rows, exact for integers, and no overflow error for absurd ones. */
function aggregates(condition: string): string {
  const filter = `FILTER (WHERE ${condition})`
  return `count(*) ${filter} AS total, total(success) ${filter} AS success, total(streaming) ${filter} AS streaming,
    total(cost_sats) ${filter} AS cost_sats, total(input_tokens) ${filter} AS input_tokens,
    total(output_tokens) ${filter} AS output_tokens, coalesce(avg(latency_ms) ${filter}, 0) AS latency_ms`
}

function section(row: SectionRow): StatsSection {
  return {
    counts: {
      total: row.total,
      success: row.success,
      error: row.total - row.success,
      streaming: row.streaming,
    },
    costs: {
      total_cost_sats: row.cost_sats,
      total_input_tokens: row.input_tokens,
      total_output_tokens: row.output_tokens,
    },
    performance: { avg_latency_ms: row.latency_ms },
  }
}
