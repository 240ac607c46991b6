import { createHash } from 'node:crypto'
import { describe, expect } from 'vitest'
import { type EventInput, openJournal, type RequestLog } from '../../src/index.js'
import { projectOnce, replay } from '../../src/projection/index.js'
import { hasTrace, traceText } from '../support/program.js'
import { test, type Workspace } from '../support/workspace.js'

/** Dollars for a million tokens in and out. */
const BOOK = [
  ['small', '0.15', '0.6'],
  ['middle', '2.5', '10'],
  ['large', '3.000001', '15.000007'],
  ['odd', '0.0375', '0.333333'],
] as const
const DAY = Date.UTC(2023, 10, 16)
const HOURS = 30

const text = traceText()
// Every ninth request, which are of all hours still: enough for batches of three projections.
const lines =
  text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .filter((_, index) => index % 9 === 0)
const requests = lines.map((line, index): RequestLog => {
  const request = JSON.parse(line) as RequestLog
  return {
    ...request,
    model: BOOK[index % BOOK.length]?.[0] ?? '',
    cost_sats: null,
    provider_cost_sats: null,
  }
})

const rateAt = (hour: number) => `${37_000 + hour}.${String((hour * 7) % 100).padStart(2, '0')}`
const prices: EventInput[] = [
  ...BOOK.map(
    ([model, input, output]): EventInput => ({
      ...{ type: 'price_set', model, valid_from: new Date(DAY).toISOString(), currency: 'usd' },
      per_million: { input, output },
    }),
  ),
  ...Array.from(
    { length: HOURS },
    (_, hour): EventInput => ({
      type: 'exchange_rate_observed',
      observed_at: new Date(DAY + hour * 3_600_000).toISOString(),
      usd_per_btc: rateAt(hour),
    }),
  ),
]

/** The totals by integers of this test's own: in billionths, each cost rounded half to even. */
function expectedTotals() {
  const totals = { n: 0n, unpriced: 0n, usd: 0n, sats: 0n }
  for (const { model, timestamp, input_tokens, output_tokens } of requests) {
    totals.n++
    const price = BOOK.find(([name]) => name === model)
    if (price === undefined || input_tokens == null || output_tokens == null) {
      totals.unpriced++
      continue
    }
    const [, input, output] = price
    // In millionths of millionths of a dollar.
    const picos = BigInt(input_tokens) * scaled(input, 6) + BigInt(output_tokens) * scaled(output, 6)
    totals.usd += halfEven(picos, 1000n)
    const hour = Math.floor((Date.parse(timestamp ?? '') - DAY) / 3_600_000)
    totals.sats += halfEven(picos * 10n ** 8n * 100n, 1000n * scaled(rateAt(hour), 2))
  }
  return totals
}

function scaled(decimal: string, digits: number): bigint {
  const [whole = '', fraction = ''] = decimal.split('.')
  return BigInt(whole + fraction.padEnd(digits, '0'))
}

function halfEven(top: bigint, bottom: bigint): bigint {
  const [quotient, twice] = [top / bottom, 2n * (top % bottom)]
  return twice > bottom || (twice === bottom && quotient % 2n === 1n) ? quotient + 1n : quotient
}

function totalsOf(workspace: Workspace) {
  const sum = `SELECT sum(requests) AS n, sum(unpriced) AS unpriced, sum(unpriced_usd) AS unpriced_usd,
    sum(cost_usd) AS usd, sum(cost_nanousd) AS nanousd, sum(cost_sats) AS sats, sum(cost_nanosats) AS nanosats
    FROM rollup_totals WHERE grain = 'day' AND grouped_by = ''`
  const row = Object.fromEntries(
    Object.entries(workspace.query(sum)[0] ?? {}).map(([name, value]) => [name, BigInt(Number(value))]),
  ) as Record<'n' | 'unpriced' | 'unpriced_usd' | 'usd' | 'nanousd' | 'sats' | 'nanosats', bigint>
  expect(row.unpriced_usd).toBe(row.unpriced)
  const { n, unpriced } = row
  return { n, unpriced, usd: row.usd * 10n ** 9n + row.nanousd, sats: row.sats * 10n ** 9n + row.nanosats }
}

async function append(workspace: Workspace, events: readonly EventInput[]): Promise<void> {
  const journal = openJournal({ directory: workspace.journal, fsync: 'no', redact: false })
  for (const event of events) journal.append(event)
  await journal.close()
}

/** A digest of each row's costs: a difference of thousands of rows is nothing to look at. */
function costsOf(workspace: Workspace): string {
  const rows = workspace.query('SELECT id, cost_sats, cost_usd, price_byte_offset FROM requests ORDER BY id')
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex')
}

describe.skipIf(!hasTrace)('the real trace, priced by four models and a rate an hour', () => {
  test('costs what it costs by hand, to the billionth, where its prices come first', async ({
    workspace,
  }) => {
    await append(workspace, [...prices, ...requests])
    await projectOnce(workspace)
    expect(totalsOf(workspace)).toEqual(expectedTotals())
  })

  test('costs the same wherever its prices and rates stand, and after a replay', async ({ workspace }) => {
    const events: EventInput[] = [...requests]
    // Spread by a multiplier without a common factor, some long after the requests that they are for.
    for (const [index, price] of prices.entries()) {
      events.splice((index * 7919 * 31) % events.length, 0, price)
    }
    const parts = [events.slice(0, 1000), events.slice(1000, 2200), events.slice(2200)]
    for (const part of parts) {
      await append(workspace, part)
      await projectOnce(workspace)
    }
    const expected = expectedTotals()
    expect(totalsOf(workspace)).toEqual(expected)
    const costs = costsOf(workspace)
    await replay(workspace)
    expect(totalsOf(workspace)).toEqual(expected)
    expect(costsOf(workspace)).toBe(costs)
  })
})
