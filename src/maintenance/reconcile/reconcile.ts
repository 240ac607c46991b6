import { addCosts, type CostsBy, type ModelCosts, modelCosts } from '../../queries/costs/model-costs.js'
import { countRowsToReprice } from '../../queries/costs/rows-to-reprice.js'
import { readFrom } from '../database-location.js'
import { InputError } from '../errors.js'
import { billionthsText } from './amount.js'
import { type Bill, type Billed, readBill } from './bill.js'
import { addDays } from './bill-dates.js'
import {
  amountsOf,
  compareEntry,
  type Entry,
  type EntrySums,
  type Logged,
  type ReconciledAmounts,
  type ReconciledDay,
  type ReconciledModel,
  type ReconciledRow,
  roundingOf,
  sumOf,
  sumsBy,
} from './comparison.js'
import { type LargestDifference, largestDifference } from './largest-difference.js'
import { type ModelNames, modelKey } from './model-names.js'
import { type ReconcileOptions, resolveOptions } from './options.js'

/** What `reconcile` prints with `--json`. Amounts are exact decimal texts in its currency. */
export interface Reconciliation {
  currency: 'usd' | 'sats'
  by: CostsBy
  timezone: string
  provider: string | null
  /** The first and the last day that are compared. */
  since: string
  until: string
  tolerance: string
  /**
   * How many lines of the bill are from these days, and how many from others, which aren't
   * compared.
   */
  bill_lines: number
  bill_lines_outside: number
  total: ReconciledAmounts
  /** By day, then by model. */
  rows: ReconciledRow[]
  days: ReconciledDay[]
  /** Those that differ most first. */
  models: ReconciledModel[]
  /** How many rows differ by more than the tolerance. */
  over: number
  /** How many of these the bill's rounding explains. */
  over_by_rounding: number
  /** The most that rounding can change the bill's sum for a model and day: `0.005`. */
  rounding: string
  /** Models that only one side has, on all days. */
  billed_only: (string | null)[]
  logged_only: (string | null)[]
  /**
   * Rows of these days, of any provider, whose costs are still to be computed again because prices or
   * exchange rates came late: the logged costs may change. At most 100,000 are counted.
   */
  to_reprice: number
  /** Null: nothing differs. */
  largest: LargestDifference | null
}

/**
 * A limit for dates with a wrong year, which would make this a comparison of thousands of years.
 */
const MAX_DAYS = 3660

/**
 * Compares a bill with what was logged, by day and model. It only reads.
 *
 * @throws InputError FILE_UNREADABLE, INVALID_CSV, INVALID_VALUE; RangeError if options are wrong
 *   or don't fit; QueryError INVALID_TIMEZONE, PROVIDER_NOT_FOUND; DatabaseError
 */
export async function reconcile(options: ReconcileOptions): Promise<Reconciliation> {
  const asked = resolveOptions(options)
  const { currency, timezone, by, tolerance, modelNames } = asked
  const bill = await readBill(options.bill, asked)
  const days = daysOf(bill, options)
  const startOf = (day: string) =>
    new Date(timezone.instantAt(Date.parse(`${day}T00:00:00.000Z`), 'start')).toISOString()
  const { entries, toReprice } = readFrom(options, (database) =>
    database.transaction(() => {
      const entries = days.flatMap((day) => {
        const [since, before] = [startOf(day), startOf(addDays(day, 1))]
        const logged = modelCosts(database, { since, before, provider: options.provider, currency, by })
        return entriesOf(day, bill.days.get(day) ?? new Map(), logged, modelNames)
      })
      const range = { from: startOf(days[0] ?? ''), until: startOf(addDays(days.at(-1) ?? '', 1)) }
      return { entries, toReprice: countRowsToReprice(database, { range }) }
    })(),
  )
  nameModels(entries)
  const total = sumOf(entries)
  const lines = entries.reduce((sum, { billed }) => sum + (billed?.lines ?? 0), 0)
  const hasTokens = total.billedTokens !== null
  const halfUnit = halfUnitOf(bill, currency)
  const rows = entries.map((entry) => compareEntry(entry, asked.allowed, halfUnit, hasTokens))
  const rounding = entries.map((entry) => roundingOf(entry, halfUnit)).reduce((a, b) => (a > b ? a : b), 0n)
  const models = sumsBy(entries, ({ key }) => key)
  const namesWhere = (isThere: (sums: EntrySums) => boolean) =>
    models.filter(([, sums]) => isThere(sums)).map(([{ name }]) => name)
  return {
    currency,
    by,
    timezone: timezone.name,
    provider: options.provider ?? null,
    since: days[0] ?? '',
    until: days.at(-1) ?? '',
    tolerance,
    bill_lines: lines,
    bill_lines_outside: bill.lines - lines,
    total: amountsOf(total, hasTokens),
    rows,
    days: sumsBy(entries, ({ day }) => day)
      .map(([{ day }, sums]) => ({ day, ...amountsOf(sums, hasTokens) }))
      .sort((a, b) => (a.day < b.day ? -1 : 1)),
    models: models.map(([{ name }, sums]) => ({ model: name, ...amountsOf(sums, hasTokens) })),
    over: rows.filter(({ is_over }) => is_over).length,
    over_by_rounding: rows.filter(({ is_over, is_rounding }) => is_over && is_rounding).length,
    rounding: billionthsText(rounding),
    billed_only: namesWhere(({ logged }) => logged.requests === 0),
    logged_only: namesWhere(({ hasBilled }) => !hasBilled),
    to_reprice: toReprice,
    largest: largestDifference(entries, halfUnit),
  }
}

/**
 * The fewest decimals that a bill is taken to have: the costs of a few lines may all end in zeros.
 */
const LEAST_DECIMALS = { usd: 2, sats: 0 }

/** Half a unit of the bill's last digit, in billionths. */
function halfUnitOf({ decimals }: Bill, currency: 'usd' | 'sats'): bigint {
  const digits = Math.max(decimals, LEAST_DECIMALS[currency])
  return digits > 8 ? 0n : 5n * 10n ** BigInt(8 - digits)
}

/** The days that are compared, in order. */
function daysOf({ days }: Bill, { bill, since, until }: ReconcileOptions): string[] {
  const billed = [...days.keys()].sort()
  const first = since ?? billed[0] ?? ''
  const last = until ?? billed.at(-1) ?? ''
  const found: string[] = []
  for (let day = first; day <= last; day = addDays(day, 1)) {
    if (found.push(day) <= MAX_DAYS) continue
    const expected = `expected at most ${MAX_DAYS} days: correct the dates, or give the first and the last day`
    throw new InputError('INVALID_VALUE', bill, `found days from ${first} to ${last}, ${expected}`)
  }
  if (found.length > 0) return found
  throw new InputError('INVALID_VALUE', bill, `found no day from ${first} to ${last}, expected at least one`)
}

function entriesOf(
  day: string,
  billed: ReadonlyMap<string, Billed>,
  logged: ReadonlyMap<string, ModelCosts>,
  modelNames: ModelNames,
): Entry[] {
  const byKey = new Map<string, Logged>()
  for (const [name, costs] of [...logged].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const key = modelKey(name, modelNames)
    const before = byKey.get(key)
    byKey.set(key, before === undefined ? { ...costs, name } : { ...before, ...addCosts(before, costs) })
  }
  const keys = [...new Set([...billed.keys(), ...byKey.keys()])].sort()
  return keys.map((key) => ({ day, key, name: null, billed: billed.get(key), logged: byKey.get(key) }))
}

/** Gives a model the same name on all days: the log's, or else the bill's. */
function nameModels(entries: readonly Entry[]): void {
  const names = new Map<string, string>()
  for (const { key, billed } of entries)
    if (billed !== undefined && billed.name !== '') names.set(key, billed.name)
  for (const { key, logged } of entries.toReversed()) if (logged !== undefined) names.set(key, logged.name)
  for (const entry of entries) entry.name = names.get(entry.key) ?? null
}
