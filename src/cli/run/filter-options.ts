import { CALENDAR_RANGES, namedPeriod } from '../../queries/window/calendar-ranges.js'
import type { RequestFilter } from '../../queries/window/filter.js'
import { type Edge, TimeZone } from '../../queries/window/time-zone.js'
import { isValueOf, VALUE_FILTERS, type ValueFilters } from '../../queries/window/value-filters.js'
import { RANGES, type Window } from '../../queries/window/window.js'
import { instantOf, windowLength } from '../../queries/window/window-words.js'
import type { CommonFlags } from './command.js'
import { textThat } from './options.js'
import { type Pairs, splitPair, withPair } from './pairs.js'

/** The windows that have a name. */
export const RANGE_WORDS: readonly string[] = [...Object.keys(RANGES), ...CALENDAR_RANGES]

/** The windows that `--range` takes, in words. */
export const SUPPORTED_RANGES = `${Object.keys(RANGES).join(', ')}, a length such as 90m, 1h, 2d, 1w, ${CALENDAR_RANGES.join(', ')}, or a month, day or year: 2026-10, 2026-10-31, 2026`

/** The values of the options of `filterOptions`, and of those that say where the database is. */
export interface FilterFlags
  extends Omit<CommonFlags, 'journal'>,
    Omit<RequestFilter, 'journal' | 'success' | 'streaming' | 'unpricedIn'> {
  journalId?: string
  range?: string
  timezone?: TimeZone
  success?: 'true' | 'false'
  failed?: true
  streaming?: 'true' | 'false'
  /** True: `--unpriced` of `stats` without a value, which adds counts. */
  unpriced?: RequestFilter['unpricedIn'] | true
}

/** The filter that was asked for; over all time by default. */
export function filterOf(flags: FilterFlags): RequestFilter {
  const { model, provider, withoutProvider, policy, withoutPolicy, labels, withoutLabel } = flags
  const names = { model, provider, withoutProvider, policy, withoutPolicy, labels, withoutLabel }
  const { errorStatus, errorMessage, minLatency, minCost, attempt, serviceTier, unpriced } = flags
  const unpricedIn = unpriced === true ? undefined : unpriced
  const values = { errorStatus, errorMessage, minLatency, minCost, attempt, serviceTier, unpricedIn }
  const { journalId: journal, correlationId, open, unfinished, currency } = flags
  const success = flags.failed ? false : booleanOf(flags.success)
  const others = { journal, correlationId, open, unfinished, currency, success }
  return { ...windowOf(flags), ...names, ...values, ...others, streaming: booleanOf(flags.streaming) }
}

function booleanOf(text: 'true' | 'false' | undefined): boolean | undefined {
  return text === undefined ? undefined : text === 'true'
}

/** The window that the options name. Their words mean what the zone's clocks show. */
function windowOf({ range, since = range, until, before, timezone = TimeZone.UTC }: FilterFlags): Window {
  const now = Date.now()
  const bound = (words: string | undefined, edge: Edge) =>
    words === undefined ? undefined : (instantOf(words, edge, now, timezone) ?? words)
  const window = { since: bound(since, 'start'), until: bound(until, 'end'), before: bound(before, 'start') }
  if (range === undefined || (until ?? before) !== undefined) return window
  const period = namedPeriod(range, timezone, now)
  if (period === null || period.endMs > now) return window
  return { ...window, before: new Date(period.endMs).toISOString() }
}

/** Makes a parser that checks a value of a filter and returns it as it is written. */
export function valueParser(name: keyof ValueFilters): (text: string) => string {
  return textThat((text) => isValueOf(name, text), `Expected ${VALUE_FILTERS[name].expected}.`)
}

export const parseRange = textThat(
  (text) => windowLength(text) !== null || namedPeriod(text, TimeZone.UTC, Date.now()) !== null,
  `Expected ${SUPPORTED_RANGES}.`,
)

/** Parses `name=value`, where the value may be empty; the option may be repeated. */
export function parseLabel(text: string, before: Pairs = {}): Pairs {
  return withPair(before, ...splitPair(text, 'Expected name=value, such as team=search.'))
}

export const parseLabelName = textThat(
  (text) => text !== '' && !text.includes('='),
  'Expected the name of a label, such as team.',
)
