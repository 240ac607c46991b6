import { safeIdentifier } from '../../events/value-kinds.js'
import type { Currency } from '../../folds/costs/row-cost.js'
import { unfinishedUntil } from '../../folds/sums/counted-values.js'
import { all, type Condition, type TextRange } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { rollupLabels } from '../../store/sqlite/rollups/rollup-labels.js'
import { QueryError } from '../errors.js'
import { checkCurrency, shownCurrency } from './currency.js'
import { prepareDeadlines, withinDeadline } from './deadline.js'
import { stateCondition } from './request-state.js'
import { inCurrency, VALUE_FILTER_NAMES, type ValueFilters, valueConditions } from './value-filters.js'
import { canonicalWindow, END_OF_TIME, type Window } from './window.js'

/** Which requests a question is about: those that meet every condition given here. */
export interface RequestFilter extends Window, ValueFilters {
  /** The whole name in any ASCII case. */
  model?: string | undefined
  /** The whole name in any ASCII case; requests without a provider never match. */
  provider?: string | undefined
  /** Only requests without a provider. Can't be combined with `provider`. @default false */
  withoutProvider?: boolean | undefined
  /** The whole name, case-sensitive. */
  policy?: string | undefined
  /** Only requests without a policy. Can't be combined with `policy`. @default false */
  withoutPolicy?: boolean | undefined
  /** The values of labels, by the labels' names. Both are case-sensitive. */
  labels?: Readonly<Record<string, string>> | undefined
  /** Only requests without a label of this name. */
  withoutLabel?: string | undefined
  /** Only requests of one journal: its id, or the name of its host, case-sensitive. */
  journal?: string | undefined
  /** The whole id, case-sensitive. */
  correlationId?: string | undefined
  success?: boolean | undefined
  streaming?: boolean | undefined
  /** Whether a request is a stream that began within the last hour and whose end isn't known. */
  open?: boolean | undefined
  /** Whether a request is a stream that began before that hour and whose end isn't known. */
  unfinished?: boolean | undefined
  /**
   * The currency of `minCost`, and of the costs in an answer.
   * @default the one in which the window has costs; satoshis if it has costs in both
   */
  currency?: Currency | undefined
  /**
   * Milliseconds since 1970. A stream without an end is unfinished if it began over an hour before.
   * @default now
   */
  now?: number | undefined
  /** When the question is given up, in milliseconds of performance.now(). @default never */
  deadline?: number | undefined
}

/**
 * Checks a filter. Returns it with canonical bounds, with names as they are stored, and with the
 * currency in its least cost.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE, INVALID_FILTER,
 *   INVALID_CURRENCY, MODEL_NOT_FOUND, PROVIDER_NOT_FOUND, JOURNAL_NOT_FOUND, in this order
 */
export function checkedFilter<T extends RequestFilter>(database: QueryDatabase, filter: T): T {
  const stored = storedNames(filter)
  const checked: T = { ...stored, ...canonicalWindow(filter), now: filter.now ?? Date.now() }
  if (checked.deadline !== undefined) prepareDeadlines(database, checked.deadline)
  const { model, provider } = checked
  refuseContradictions(checked)
  valueConditions(database, checked)
  if (checked.currency !== undefined) checkCurrency(checked.currency)
  checked.minCost = inCurrency(checked.minCost, () => shownCurrency(database, checked).currency)
  if (model !== undefined && !isKnown(database, 'model', model)) {
    throw new QueryError('MODEL_NOT_FOUND', `Model '${model}' not found`)
  }
  if (provider !== undefined && !isKnown(database, 'provider', provider)) {
    throw new QueryError('PROVIDER_NOT_FOUND', `Provider '${provider}' not found`)
  }
  if (checked.journal !== undefined && !isKnownJournal(database, checked.journal)) {
    throw new QueryError('JOURNAL_NOT_FOUND', `Journal '${checked.journal}' not found`)
  }
  return checked
}

/** @throws QueryError INVALID_FILTER if a filter asks for a name and for requests without one. */
function refuseContradictions(filter: RequestFilter): void {
  const { provider, policy, labels = {}, withoutProvider, withoutPolicy, withoutLabel } = filter
  if (provider !== undefined && withoutProvider)
    throw contradiction(`provider '${provider}'`, 'without_provider')
  if (policy !== undefined && withoutPolicy) throw contradiction(`policy '${policy}'`, 'without_policy')
  if (withoutLabel !== undefined && Object.hasOwn(labels, withoutLabel))
    throw contradiction(`label '${withoutLabel}'`, 'without_label')
}

function contradiction(named: string, without: string): QueryError {
  return new QueryError(
    'INVALID_FILTER',
    `Invalid filter: ${named} together with ${without}, which no request can match; leave out one of them`,
  )
}

/** Returns a filter with its names as they are stored: long ones are cut. */
export function storedNames<T extends RequestFilter>(filter: T): T {
  const stored: T = { ...filter }
  for (const name of ['model', 'provider', 'policy', 'correlationId', 'withoutLabel'] as const) {
    const asked = filter[name]
    if (asked !== undefined) stored[name] = safeIdentifier(asked)
  }
  if (filter.labels !== undefined) {
    const labels = Object.entries(filter.labels)
    stored.labels = Object.fromEntries(labels.map((label) => label.map(safeIdentifier) as [string, string]))
  }
  return stored
}

function isKnown(database: QueryDatabase, column: 'model' | 'provider', name: string): boolean {
  const sql = `SELECT 1 FROM rollup_dimensions WHERE ${dialectOf(database).equalsIgnoringCase(column)} LIMIT 1`
  return database.prepare(sql).get(name) !== undefined
}

function isKnownJournal(database: QueryDatabase, journal: string): boolean {
  const { sql, values } = dialectOf(database).hasJournalName(journal)
  return (
    database
      .prepare(`SELECT 1 FROM (${dialectOf(database).journalsQuery}) AS known WHERE ${sql} LIMIT 1`)
      .get(...values) !== undefined
  )
}

/** Returns the conditions of a filter on journals: none for a file, which has a single journal. */
export function journalFilterConditions(database: QueryDatabase, { journal }: RequestFilter): Condition[] {
  return journal === undefined ? [] : dialectOf(database).journalConditions(journal)
}

/** Returns the conditions of a filter on the columns that both rows and dimensions have. */
export function dimensionConditions(database: QueryDatabase, filter: RequestFilter): Condition[] {
  const dialect = dialectOf(database)
  const { model, provider, policy, labels = {} } = filter
  const conditions: Condition[] = []
  if (model !== undefined) conditions.push({ sql: dialect.equalsIgnoringCase('model'), values: [model] })
  if (provider !== undefined)
    conditions.push({ sql: dialect.equalsIgnoringCase('provider'), values: [provider] })
  if (filter.withoutProvider) conditions.push({ sql: 'provider IS NULL', values: [] })
  if (policy !== undefined) conditions.push({ sql: 'policy = ?', values: [policy] })
  if (filter.withoutPolicy) conditions.push({ sql: 'policy IS NULL', values: [] })
  for (const [name, value] of Object.entries(labels)) {
    const label = dialect.label(name)
    conditions.push({ sql: `(${label.sql}) = ?`, values: [...label.values, value] })
  }
  if (filter.withoutLabel !== undefined) {
    const label = dialect.label(filter.withoutLabel)
    conditions.push({ sql: `(${label.sql}) IS NULL`, values: label.values })
  }
  return conditions
}

/**
 * Returns the whole condition of a filter on rows.
 *
 * @param range the timestamps that match, if not those of the filter's window.
 */
export function rowCondition(
  database: QueryDatabase,
  filter: RequestFilter,
  range = windowRange(filter),
): Condition {
  const dialect = dialectOf(database)
  const { correlationId, success, streaming, open, unfinished, now = Date.now() } = filter
  const conditions = [
    ...withinDeadline(database, filter.deadline),
    ...journalFilterConditions(database, filter),
    ...dimensionConditions(database, filter),
  ]
  const isOutcome = (column: string, is: boolean) => {
    conditions.push({ sql: is ? dialect.isTrue(column) : dialect.isFalse(column), values: [] })
  }
  if (correlationId !== undefined) conditions.push({ sql: 'correlation_id = ?', values: [correlationId] })
  if (success !== undefined) isOutcome('success', success)
  if (streaming !== undefined) isOutcome('streaming', streaming)
  if (open !== undefined) conditions.push(stateCondition(database, 'open', open, now))
  if (unfinished !== undefined) conditions.push(stateCondition(database, 'unfinished', unfinished, now))
  conditions.push(...valueConditions(database, filter))
  return all([...conditions, dialect.timestampIn(timestampColumn(database, filter), range)])
}

/** Counts the requests that meet a condition. */
export function countRows(database: QueryDatabase, { sql, values }: Condition): number {
  const count = database.prepare<unknown[], number>(`SELECT count(*) FROM requests WHERE ${sql}`)
  return count.pluck().get(...values) as number
}

/** Returns the range of the timestamps that matching rows can have. */
export function windowRange(filter: RequestFilter): TextRange {
  const { since, until, before, open, unfinished, now = Date.now() } = filter
  const border = unfinishedUntil(now)
  const startsAtBorder = open === true && (since === undefined || since <= border)
  const endsAtBorder =
    unfinished === true && (until ?? END_OF_TIME) > border && (before ?? END_OF_TIME) > border
  const start = startsAtBorder ? { after: border } : { from: since }
  const end = endsAtBorder ? { to: border } : { to: until, before }
  return { ...start, ...end }
}

/**
 * Returns the column to compare with a window. Rows with a correlation_id are found by an index of
 * their own, so SQLite is kept from using the index of timestamps.
 */
export function timestampColumn(database: QueryDatabase, { correlationId }: RequestFilter): string {
  return correlationId === undefined ? 'timestamp' : dialectOf(database).unindexedTimestamp
}

/**
 * Whether a filter is only about columns of dimensions, apart from success and streaming: then the
 * roll-ups can answer.
 */
export function isOfDimensions(database: QueryDatabase, filter: RequestFilter): boolean {
  const { labels = {}, withoutLabel, correlationId, open, unfinished } = filter
  if (correlationId !== undefined || open !== undefined || unfinished !== undefined) return false
  if (VALUE_FILTER_NAMES.some((name) => filter[name] !== undefined)) return false
  const names = [...Object.keys(labels), ...(withoutLabel === undefined ? [] : [withoutLabel])]
  if (names.length === 0) return true
  const known = rollupLabels(database)
  return names.every((name) => known.includes(name))
}

/** Returns the condition on roll-ups for a filter that is about their dimensions only. */
export function rollupCondition(database: QueryDatabase, filter: RequestFilter): Condition {
  const conditions = dimensionConditions(database, filter)
  if (conditions.length === 0) return { sql: 'TRUE', values: [] }
  const { sql, values } = all(conditions)
  return { sql: `dimension_id IN (SELECT id FROM rollup_dimensions WHERE ${sql})`, values }
}

/** Returns a name with its ASCII letters in lower case, to compare it with others. */
export function ignoringCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
