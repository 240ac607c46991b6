import { readCsv } from '../csv.js'
import { InputError } from '../errors.js'
import { decimalsOf, type ExactAmount, parseAmount } from './amount.js'
import { type BillTimes, billDay } from './bill-dates.js'
import { type ModelNames, modelKey } from './model-names.js'
import type { BillColumns, Preset } from './presets.js'

export interface BillOptions {
  columns: BillColumns
  times: BillTimes
  currency: 'usd' | 'sats'
  modelNames: ModelNames
  /** Names in the log, by the names that the bill has for them. */
  aliases: Readonly<Record<string, string>>
  preset: Preset | undefined
}

/** What a bill has for a model on one day. */
export interface Billed {
  /** The model's name in the bill; empty if its lines name none. */
  name: string
  cost: ExactAmount
  /** Null: the bill has no column of tokens. */
  tokens: bigint | null
  lines: number
}

export interface Bill {
  /** By day, then by the key of the model. */
  days: Map<string, Map<string, Billed>>
  /** Lines with a cost. */
  lines: number
  /** The most digits after the point that a cost has. */
  decimals: number
}

/** How many days and models are compared at once. */
const MAX_ENTRIES = 200_000

/**
 * Reads a bill and sums it by day and model. Lines that have neither a model nor a cost are left
 * out: exports have them for days without use.
 *
 * @throws InputError FILE_UNREADABLE, INVALID_CSV, INVALID_VALUE
 */
export async function readBill(path: string, options: BillOptions): Promise<Bill> {
  const { columns, preset } = options
  const { currencyColumn } = preset ?? {}
  const days: Bill['days'] = new Map()
  const aliases = new Aliases(options)
  let lines = 0
  let decimals = 0
  let entries = 0
  const required = [columns.date, columns.model, columns.cost, ...columns.tokens]
  if (currencyColumn !== undefined) required.push(currencyColumn)
  for await (const row of readCsv(path, { required: [...new Set(required)] })) {
    const wrong: MakeError = (problem) => new InputError('INVALID_VALUE', path, problem, { line: row.line })
    const costText = row.get(columns.cost)
    const name = modelOf(row.get(columns.model), preset)
    if (costText === '' && name === '') continue
    const found = billDay(row.get(columns.date), options.times)
    if ('problem' in found) throw wrong(found.problem)
    const cost = parseAmount(costText)
    if (cost === null) throw wrong(numberProblem(columns.cost, costText))
    if (currencyColumn !== undefined) checkCurrency(row.get(currencyColumn), options.currency, wrong)
    const tokens = columns.tokens.map((column) => tokensOf(row.get(column), column, wrong))
    const key = aliases.keyOf(name)
    const day = days.get(found.day) ?? new Map<string, Billed>()
    days.set(found.day, day)
    const before = day.get(key)
    if (before === undefined && ++entries > MAX_ENTRIES) {
      throw wrong(`found over ${MAX_ENTRIES} combinations of day and model: is '${columns.model}' the model?`)
    }
    day.set(key, {
      name: before?.name ?? name,
      cost: (before?.cost ?? 0n) + cost,
      tokens: columns.tokens.length === 0 ? null : tokens.reduce((a, b) => a + b, before?.tokens ?? 0n),
      lines: (before?.lines ?? 0) + 1,
    })
    lines++
    decimals = Math.max(decimals, decimalsOf(costText))
  }
  if (lines === 0) throw new InputError('INVALID_VALUE', path, 'no line has a cost')
  aliases.checkUse(path)
  return { days, lines, decimals }
}

/** Makes the error about a problem of the current line. */
type MakeError = (problem: string) => InputError

function checkCurrency(currency: string, expected: string, wrong: MakeError): void {
  if (currency.toLowerCase() !== expected)
    throw wrong(`found the currency '${currency}', expected ${expected}`)
}

/** A number of tokens; an empty text counts as 0. */
function tokensOf(text: string, column: string, wrong: MakeError): bigint {
  if (text === '') return 0n
  if (/^\d{1,15}(?:\.0+)?$/.test(text)) return BigInt(text.replace(/\..*/, ''))
  const advice = ': write its digits alone, without separators'
  throw wrong(numberProblem(column, text, 'a whole number such as 1200', advice))
}

function modelOf(text: string, preset: Preset | undefined): string {
  return preset?.isModelBeforeComma ? text.replace(/,.*/s, '').trimEnd() : text
}

function numberProblem(
  column: string,
  text: string,
  expected = 'a number such as 1234.5',
  hintText = ': write it with a point, without separators of thousands and without a currency',
): string {
  const found = text === '' ? `'${column}' is empty` : `found '${text}' as '${column}'`
  const hint = /^[^\d-]*\d[\d.,' ]*[^\d]*$/.test(text) ? hintText : ''
  return `${found}, expected ${expected}${hint}`
}

/** Returns keys for names of the bill, for aliased names those of their names in the log. */
class Aliases {
  readonly #names: ModelNames
  readonly #keys: ReadonlyMap<string, string>
  readonly #unused: Map<string, string>

  constructor({ aliases, modelNames }: BillOptions) {
    this.#names = modelNames
    const entries = Object.entries(aliases)
    this.#keys = new Map(
      entries.map(([billed, logged]) => [billed.toLowerCase(), modelKey(logged, modelNames)]),
    )
    this.#unused = new Map(entries.map(([billed]) => [billed.toLowerCase(), billed]))
  }

  keyOf(name: string): string {
    const lower = name.toLowerCase()
    this.#unused.delete(lower)
    return this.#keys.get(lower) ?? modelKey(name, this.#names)
  }

  /** @throws InputError INVALID_VALUE if the bill doesn't have one of the names. */
  checkUse(path: string): void {
    const [unused] = this.#unused.values()
    if (unused === undefined) return
    throw new InputError('INVALID_VALUE', path, `no line has the model '${unused}', which was given an alias`)
  }
}
