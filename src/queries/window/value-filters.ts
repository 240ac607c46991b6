import { safeIdentifier } from '../../events/value-kinds.js'
import type { Currency } from '../../folds/costs/row-cost.js'
import type { Condition } from '../../store/condition.js'
import type { Dialect } from '../../store/dialect.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { SQLITE } from '../../store/sqlite/sqlite-dialect.js'
import { QueryError } from '../errors.js'

/** Filters that compare a column with a value that people type. */
export interface ValueFilters {
  /**
   * The HTTP status of an error, such as 429; a class of statuses, such as '4xx'; or 'none' for
   * requests without a status, successful ones included.
   */
  errorStatus?: number | `${number}` | `${number}xx` | 'none' | undefined
  /** A part of error_message, in any ASCII case. */
  errorMessage?: string | undefined
  /** The least latency_ms that matches, a whole number. */
  minLatency?: number | `${number}` | undefined
  /**
   * The least cost that matches, in the filter's currency unless it says otherwise: 100, '100sats',
   * '0.05usd'.
   */
  minCost?: number | `${number}` | `${number}${Currency}` | undefined
  /** Requests without a cost in this currency, or in `both`. */
  unpricedIn?: Currency | 'both' | undefined
  /** 0 for the first try, 1 for its first retry or fallback. */
  attempt?: number | `${number}` | undefined
  /** The whole name, case-sensitive. */
  serviceTier?: string | undefined
}

interface ValueFilter {
  /** Its name in the API, in errors, and with dashes on the command line. */
  parameter: string
  /** The placeholder for a value in help texts. */
  value: string
  /** Which requests match, as the end of a sentence that begins with "requests". */
  about: string
  /** What a value must be, as the end of a sentence that begins with "Expected". */
  expected: string
  /** Whether a stream's end may change the column, so that a tail has to wait for that end. */
  isOfOutcome: boolean
  /** The condition on a row; null if the text isn't a value. */
  conditionOf(text: string, dialect: Dialect): Condition | null
}

/**
 * Describes each of these filters. The options of commands, the parameters of the API, the checks
 * of values and the conditions on rows are made from this table.
 */
export const VALUE_FILTERS: Readonly<Record<keyof ValueFilters, ValueFilter>> = {
  errorStatus: {
    parameter: 'error_status',
    value: 'status',
    about:
      'with this error status, such as 429, or of this class, 4xx or 5xx; none: without a status, successful or not',
    expected: 'a status such as 429, a class such as 4xx, or none',
    isOfOutcome: true,
    conditionOf: (text) => {
      if (text === 'none') return { sql: 'error_status IS NULL', values: [] }
      const first = /^([1-5])xx$/i.exec(text)?.[1]
      if (first === undefined) return wholeNumber(text, 'error_status = ?')
      return { sql: 'error_status BETWEEN ? AND ?', values: [Number(first) * 100, Number(first) * 100 + 99] }
    },
  },
  errorMessage: {
    parameter: 'error_message',
    value: 'text',
    about: 'whose error message contains this text, in upper or lower case',
    expected: 'a text that is not empty',
    isOfOutcome: true,
    conditionOf: (text, dialect) =>
      text === '' ? null : { sql: dialect.contains('error_message'), values: [text] },
  },
  minLatency: {
    parameter: 'min_latency',
    value: 'ms',
    about: 'that took at least this many milliseconds; for a stream, up to its first byte',
    expected: 'a whole number of milliseconds',
    isOfOutcome: false,
    conditionOf: (text) => wholeNumber(text, 'latency_ms >= ?'),
  },
  minCost: {
    parameter: 'min_cost',
    value: 'amount',
    about: 'that cost at least this much: 100sats, 0.05usd, or a number alone in the currency that is shown',
    expected: 'an amount such as 100, 100sats or 0.05usd',
    isOfOutcome: true,
    conditionOf: (text) => {
      const [, amount, currency = 'sats'] = /^(\d{1,15}(?:\.\d{1,15})?)(sats|usd)?$/.exec(text) ?? []
      return amount === undefined ? null : { sql: `cost_${currency} >= ?`, values: [Number(amount)] }
    },
  },
  unpricedIn: {
    parameter: 'unpriced',
    value: 'currency',
    about: 'without a known cost in sats, in usd, or in both',
    expected: 'sats, usd or both',
    isOfOutcome: true,
    conditionOf: (text) => {
      if (text === 'both') return { sql: 'cost_sats IS NULL AND cost_usd IS NULL', values: [] }
      return text === 'sats' || text === 'usd' ? { sql: `cost_${text} IS NULL`, values: [] } : null
    },
  },
  attempt: {
    parameter: 'attempt',
    value: 'n',
    about: 'with this attempt number: 0 for first tries, 1 for first retries or fallbacks',
    expected: 'a whole number, 0 for the first try',
    isOfOutcome: false,
    conditionOf: (text) => wholeNumber(text, 'attempt = ?'),
  },
  serviceTier: {
    parameter: 'service_tier',
    value: 'name',
    about: 'of the service tier with this exact name, as the provider billed it',
    expected: 'a text that is not empty',
    isOfOutcome: true,
    conditionOf: (text) => (text === '' ? null : { sql: 'service_tier = ?', values: [safeIdentifier(text)] }),
  },
}

/**
 * Adds the currency to a least cost that doesn't name one.
 *
 * @param currency returns the currency to add.
 */
export function inCurrency(
  minCost: ValueFilters['minCost'],
  currency: () => Currency,
): ValueFilters['minCost'] {
  const isNumber = minCost !== undefined && /^[\d.]+$/.test(String(minCost))
  return isNumber ? (`${minCost}${currency()}` as `${number}${Currency}`) : minCost
}

export const VALUE_FILTER_NAMES = Object.keys(VALUE_FILTERS) as (keyof ValueFilters)[]

/** Returns the condition of each filter that is given. @throws QueryError INVALID_FILTER */
export function valueConditions(database: QueryDatabase, filter: ValueFilters): Condition[] {
  const dialect = dialectOf(database)
  return VALUE_FILTER_NAMES.flatMap((name) => {
    const value = filter[name]
    return value === undefined ? [] : [valueCondition(name, String(value), dialect)]
  })
}

/** Whether a text is a value of a filter. */
export function isValueOf(name: keyof ValueFilters, text: string): boolean {
  return VALUE_FILTERS[name].conditionOf(text, SQLITE) !== null
}

/** @throws QueryError INVALID_FILTER if the text isn't a value of the filter. */
export function valueCondition(name: keyof ValueFilters, text: string, dialect: Dialect): Condition {
  const { parameter, expected, conditionOf } = VALUE_FILTERS[name]
  const condition = conditionOf(text, dialect)
  if (condition !== null) return condition
  throw new QueryError('INVALID_FILTER', `Invalid '${parameter}' value '${text}'. Expected ${expected}`)
}

/** Separates the filters on columns that a stream's end may change from the other filters. */
export function splitValueFilters<Filter extends ValueFilters>(
  filter: Filter,
): { changing: ValueFilters; lasting: Filter } {
  const isChanging = (name: string) =>
    Object.hasOwn(VALUE_FILTERS, name) && VALUE_FILTERS[name as keyof ValueFilters].isOfOutcome
  const entries = Object.entries(filter)
  return {
    changing: Object.fromEntries(entries.filter(([name]) => isChanging(name))),
    lasting: Object.fromEntries(entries.filter(([name]) => !isChanging(name))) as Filter,
  }
}

function wholeNumber(text: string, sql: string): Condition | null {
  return /^\d{1,15}$/.test(text) ? { sql, values: [Number(text)] } : null
}
