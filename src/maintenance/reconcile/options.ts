import { canonicalTimestamp } from '../../events/timestamp.js'
import type { CostsBy } from '../../queries/costs/model-costs.js'
import { TimeZone } from '../../queries/window/time-zone.js'
import type { DatabaseLocation } from '../database-location.js'
import type { BillOptions } from './bill.js'
import type { DateFormat } from './bill-dates.js'
import type { ModelNames } from './model-names.js'
import { type BillColumns, PRESETS, type PresetName } from './presets.js'
import { parseTolerance, TOLERANCE_WORDS, type Tolerance } from './tolerance.js'

export interface ReconcileOptions extends DatabaseLocation {
  /** The path of the bill, a CSV file with a header. */
  bill: string
  /** The provider whose export the bill is. @default none: the columns are needed */
  preset?: PresetName | undefined
  /** The bill's columns. @default those of the preset; without one, no `tokens` */
  columns?: { [Column in keyof BillColumns]?: BillColumns[Column] | undefined } | undefined
  /** @default RFC 3339 */
  dateFormat?: DateFormat | undefined
  /** @default 'usd' */
  currency?: 'usd' | 'sats' | undefined
  /** The IANA time zone by whose days both sides are compared. @default 'UTC' */
  timezone?: string | undefined
  /**
   * Which of a request's models is compared: the one that answered, or else the one that was asked
   * for, or always the latter. @default 'response_model'
   */
  by?: CostsBy | undefined
  /** @default that of the preset; without one, 'exact' */
  modelNames?: ModelNames | undefined
  /** Names in the log, by the names that the bill has for them. @default none */
  aliases?: Readonly<Record<string, string>> | undefined
  /** Only requests of this provider: its whole name, in any ASCII case. @default all */
  provider?: string | undefined
  /** The first and the last day that are compared. @default those of the bill */
  since?: string | undefined
  until?: string | undefined
  /**
   * `1%` of what was billed, an amount such as `0.05`, or either of both: `1%,0.05`. @default '1%'
   */
  tolerance?: string | undefined
}

/** Options with their defaults. */
export interface ResolvedOptions extends BillOptions {
  by: CostsBy
  timezone: TimeZone
  tolerance: string
  allowed: Tolerance
}

/**
 * Checks options and fills in their defaults.
 *
 * @throws RangeError whose message begins with the name of the option that is wrong; QueryError
 *   INVALID_TIMEZONE
 */
export function resolveOptions(options: ReconcileOptions): ResolvedOptions {
  const { currency = 'usd', timezone = 'UTC', by = 'response_model', tolerance = '1%' } = options
  const allowed = parseTolerance(tolerance)
  if (allowed === null) throw new RangeError(`tolerance: found '${tolerance}', expected ${TOLERANCE_WORDS}`)
  const zone = new TimeZone(timezone)
  for (const name of ['since', 'until'] as const) {
    const day = options[name]
    if (day === undefined || canonicalTimestamp(`${day}T00:00:00Z`) !== null) continue
    throw new RangeError(`${name}: found '${day}', expected a day such as 2026-11-22`)
  }
  const preset = options.preset === undefined ? undefined : PRESETS[options.preset]
  if (preset !== undefined && currency !== 'usd') {
    throw new RangeError(`currency: found ${currency}, expected usd, in which ${options.preset} bills`)
  }
  if (preset?.isByDay && timezone !== 'UTC') {
    const found = `timezone: found ${timezone}, expected UTC, by whose days ${options.preset} bills`
    throw new RangeError(`${found}; leave it out, and use stats for the hours in which a local month differs`)
  }
  return {
    columns: columnsOf(options),
    times: { format: options.dateFormat, timezone: zone, isWrittenInUtc: preset !== undefined },
    currency,
    modelNames: options.modelNames ?? preset?.modelNames ?? 'exact',
    aliases: options.aliases ?? {},
    preset,
    by,
    timezone: zone,
    tolerance,
    allowed,
  }
}

function columnsOf({ preset, columns = {} }: ReconcileOptions): BillColumns {
  const standard = preset === undefined ? undefined : PRESETS[preset].columns
  const { date = standard?.date, model = standard?.model, cost = standard?.cost } = columns
  const tokens = columns.tokens ?? standard?.tokens ?? []
  if (date !== undefined && model !== undefined && cost !== undefined) return { date, model, cost, tokens }
  const missing = Object.entries({ date, model, cost }).filter(([, column]) => column === undefined)
  const names = missing.map(([name]) => name).join(', ')
  throw new RangeError(`columns: found no name for ${names}, expected the bill's columns or a preset`)
}
