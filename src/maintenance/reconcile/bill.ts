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
  const { columns, preset, modelNames } = options
  const { currencyColumn } = preset ?? {}
  const days: Bill['days'] = new Map()
  const aliases = new Map(
    Object.entries(options.aliases).map(([billed, logged]) => [billed.toLowerCase(), { billed, logged }]),
  )
  const seen = new Set<string>()
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
    seen.add(name.toLowerCase())
    const key = modelKey(aliases.get(name.toLowerCase())?.logged ?? name, modelNames)
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
  for (const [lower, { billed }] of aliases) {
    if (seen.has(lower)) continue
    throw new InputError('INVALID_VALUE', path, `no line has the model '${billed}', which was given an alias`)
  }
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
