import { countText } from '../../maintenance/count-text.js'
import type {
  ReconciledAmounts,
  ReconciledModel,
  ReconciledRow,
} from '../../maintenance/reconcile/comparison.js'
import type { DifferenceReason } from '../../maintenance/reconcile/largest-difference.js'
import type { Reconciliation } from '../../maintenance/reconcile/reconcile.js'
import { amountFormatter } from '../output/amounts.js'
import { formatCount } from '../output/format.js'
import { type Column, formatTable } from '../output/table.js'
import { displayWidth } from '../output/terminal.js'
import { unpricedCount, unpricedSuffix } from '../output/totals.js'

/** Shown if the bill's lines name no model. */
const NO_MODEL = '(no model)'

/**
 * Formats what a bill and the log have: the totals, a table by day and model, one by model, and
 * sentences about what differs most.
 */
export function formatReconciliation(found: Reconciliation, width: number): string {
  const { total, rows, models, currency } = found
  const format = amountFormatter(
    currency,
    [total, ...rows].flatMap(({ billed, logged }) => [billed, logged]),
  )
  const signed = (amount: string) => {
    const text = format(amount)
    return text.startsWith('-') || !/[1-9]/.test(text) ? text.replace(/^-(?=[0.]+$)/, '') : `+${text}`
  }
  const days = found.since === found.until ? found.since : `${found.since} to ${found.until}`
  const asked = found.provider === null ? '' : `, provider ${found.provider}`
  const outside = found.bill_lines_outside
  const others = outside === 0 ? '' : `, ${countText(outside, 'line')} of other days left out`
  const lines = [
    `days        ${days} (${found.timezone})${asked}`,
    `billed      ${format(total.billed)} ${currency}, ${countText(found.bill_lines, 'line')}${others}`,
    `logged      ${format(total.logged)} ${currency}, ${countText(total.requests, 'request')}${unpricedSuffix(total.unpriced, total.unpriced_error)}`,
    `difference  ${signed(total.difference)} ${currency}${inPercent(total)}`,
  ]
  if (total.billed_tokens !== undefined) {
    const unknown = total.unknown_tokens ? `, unknown for ${countText(total.unknown_tokens, 'request')}` : ''
    lines.push(
      `tokens      ${formatCount(total.billed_tokens)} billed, ${formatCount(total.logged_tokens ?? 0)} logged${unknown}`,
    )
  }
  if (found.to_reprice > 0) {
    lines.push(
      `repricing   ${countText(found.to_reprice, 'row')} of these days to be repriced: prices or exchange rates came late, so what is logged may change`,
    )
  }
  const byDay: Column<ReconciledRow>[] = [
    { title: `day (${found.timezone})`, cell: ({ day }) => day },
    ...amountColumns(format, signed),
    { title: 'note', cell: note },
  ]
  const byModel = amountColumns(format, signed)
  lines.push('', table(byDay, rows, width))
  if (models.length > 1 && found.since !== found.until) lines.push('', table(byModel, models, width))
  lines.push('', ...conclusions(found, signed))
  return lines.join('\n')
}

/** How short names are cut to keep amounts on the page. */
const LEAST_NAME = 8

function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): string {
  const text = formatTable(columns, rows, width)
  if (text.split('\n').every((line) => displayWidth(line) <= width)) return text
  const narrow = columns.map((column) => ({ ...column, shrinksTo: column.shrinksTo && LEAST_NAME }))
  return formatTable(narrow, rows, width)
}

function amountColumns(
  format: (amount: string | null) => string,
  signed: (amount: string) => string,
): Column<ReconciledModel>[] {
  const right = { align: 'right' } as const
  return [
    { title: 'model', shrinksTo: 18, cell: ({ model }) => model ?? NO_MODEL },
    { title: 'billed', ...right, cell: ({ billed }) => format(billed) },
    { title: 'logged', ...right, cell: ({ logged }) => format(logged) },
    { title: 'difference', ...right, cell: ({ difference }) => signed(difference) },
    { title: '%', ...right, dropRank: 2, cell: percentOf },
    { title: 'requests', ...right, dropRank: 3, cell: ({ requests }) => formatCount(requests) },
    {
      title: 'unpriced',
      ...right,
      dropRank: 1,
      cell: ({ unpriced, unpriced_error: failed }) => unpricedCount(unpriced, failed),
    },
  ]
}

function note({ side, is_over, is_rounding }: ReconciledRow): string {
  const sides = { both: '', billed_only: 'bill only', logged_only: 'log only' }
  return [sides[side], is_over ? (is_rounding ? 'rounding' : 'differs') : '']
    .filter((text) => text !== '')
    .join(', ')
}

/** `+1.6`; empty if nothing was billed. */
function percentOf({ billed, difference }: ReconciledAmounts): string {
  if (billed === null || Number(billed) === 0) return ''
  const percent = ((100 * Number(difference)) / Math.abs(Number(billed))).toFixed(1)
  return Number(percent) > 0 ? `+${percent}` : percent.replace(/^-(?=0\.0$)/, '')
}

function inPercent(amounts: ReconciledAmounts): string {
  const percent = percentOf(amounts)
  return percent === '' ? '' : ` (${percent} %)`
}

/** Says what differs most, why that might be, and what only one side has. */
function conclusions(found: Reconciliation, signed: (amount: string) => string): string[] {
  const { largest, over, rows, models, tolerance, currency } = found
  const lines: string[] = []
  const all = countText(rows.length, 'row')
  if (over > 0) {
    const differ = over === 1 ? 'differs' : 'differ'
    lines.push(`${formatCount(over)} of ${all} ${differ} by more than ${tolerance}${byRounding(found)}.`)
  } else if (rows.length === 1) lines.push(`The only row is within the tolerance of ${tolerance}.`)
  else lines.push(`All ${all} are within the tolerance of ${tolerance}.`)
  if (largest !== null) {
    const what = `${largest.model ?? NO_MODEL} on ${largest.day} differs most, by ${signed(largest.difference)} ${currency}`
    const reasons = largest.reasons.map((reason) => REASONS[reason](found, largest))
    lines.push(
      [`${what}${reasons.length === 0 ? '.' : ':'}`, ...reasons.map((reason) => `  ${reason}`)].join('\n'),
    )
  }
  const names = (models: readonly (string | null)[]) => models.map((model) => model ?? NO_MODEL).join(', ')
  if (found.billed_only.length > 0) lines.push(`Only the bill has ${names(found.billed_only)}.`)
  // Failed requests cost nothing, so no bill has them.
  const failed = models.filter(({ requests, unpriced_error }) => requests > 0 && requests === unpriced_error)
  const loggedOnly = found.logged_only.filter((name) => !failed.some(({ model }) => model === name))
  if (loggedOnly.length > 0) {
    const advice = found.provider === null ? '; --provider leaves other providers out' : ''
    lines.push(`Only the log has ${names(loggedOnly)}${advice}.`)
  }
  return lines
}

/** `, 22 of them by no more than the bill is rounded: --tolerance 1%,0.005 allows that` */
function byRounding({ over_by_rounding: count, over, tolerance, rounding }: Reconciliation): string {
  if (count === 0) return ''
  const percents = tolerance.split(',').filter((part) => part.trim().endsWith('%'))
  const ofThem = count === over ? '' : `${formatCount(count)} of them `
  return `, ${ofThem}by no more than the bill is rounded: --tolerance ${[...percents, rounding].join(',')} allows that`
}

type Largest = NonNullable<Reconciliation['largest']>

const REASONS: Record<DifferenceReason, (found: Reconciliation, largest: Largest) => string> = {
  no_model: () => 'the lines of the bill name no model',
  other_name: (_, { model, other_name, difference }) => {
    const [billed, logged] = difference.startsWith('-') ? [other_name, model] : [model, other_name]
    return `it may be what is called '${other_name}' on the other side: then add --alias '${billed}=${logged}'`
  },
  not_logged: () => 'the log has no request of this model on that day',
  not_billed: () => 'the bill has nothing for this model on that day',
  unpriced: ({ rows }, { day, model }) => {
    const row = rows.find((row) => row.day === day && row.model === model)
    const { unpriced = 0, requests = 0 } = row ?? {}
    if (requests === 1) return 'its only request is unpriced'
    if (unpriced === requests) return `all of its ${countText(requests, 'request')} are unpriced`
    return `${formatCount(unpriced)} of its ${countText(requests, 'request')} ${unpriced === 1 ? 'is' : 'are'} unpriced`
  },
  rounding: () => "the bill's costs are rounded, and that explains it",
  every_day: () =>
    "this model differs by about as much on most days: its price may not be the bill's, for example because " +
    'cached tokens have no price of their own',
  other_day: (_, { other_day }) =>
    `${other_day} differs by about as much the other way: the bill may have days of another zone than --timezone, or count requests when they ended`,
  edge_day: () =>
    'it is the first or the last day that is compared, which the bill or the log may have only in part',
}
