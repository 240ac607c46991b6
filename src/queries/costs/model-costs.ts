import { MAX_TOKENS } from '../../folds/sums/counted-values.js'
import { all } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { isInSums } from '../window/added-rows.js'
import { checkedFilter, type RequestFilter, rowCondition } from '../window/filter.js'

/** Which of a request's two models costs are grouped by. */
export type CostsBy = 'response_model' | 'model'

export interface ModelCostsOptions extends RequestFilter {
  currency: 'usd' | 'sats'
  /** `response_model`: the model that answered, or else the one that was asked for. */
  by: CostsBy
}

/** What the requests of a model have cost, exact to a billionth. */
export interface ModelCosts {
  requests: number
  /** Billionths of a dollar or satoshi; requests without a known cost add nothing. */
  cost: bigint
  /** Requests without a known cost, and how many of these failed. */
  unpriced: number
  unpricedFailures: number
  /** Input and output tokens; an unknown number adds nothing. */
  tokens: bigint
  /** Requests with an unknown number of tokens. */
  unknownTokens: number
}

const BILLION = 1_000_000_000n
const LOW_BITS = 32n

/** The SQL of the model's name. */
const NAMES = { response_model: 'coalesce(response_model, model)', model: 'model' }

/**
 * Sums costs by the model's exact name, from rows: the roll-ups don't know which model answered. To
 * be called in a transaction.
 *
 * @throws QueryError INVALID_SINCE, INVALID_BEFORE, PROVIDER_NOT_FOUND, …; TIMED_OUT
 */
export function modelCosts(database: QueryDatabase, options: ModelCostsOptions): Map<string, ModelCosts> {
  const column = options.currency === 'usd' ? 'cost_usd' : 'cost_sats'
  const dialect = dialectOf(database)
  const { count, largeSum, wholeNumber } = dialect
  const tokens = `${wholeNumber('input_tokens', MAX_TOKENS)} + ${wholeNumber('output_tokens', MAX_TOKENS)}`
  const sums = [
    'count(*)',
    largeSum(dialect.wholeCost(column)),
    `sum(${dialect.costBillionths(column)})`,
    count(`${column} IS NULL`),
    count(`${column} IS NULL AND ${dialect.isFalse('success')}`),
    largeSum(tokens),
    count('input_tokens IS NULL OR output_tokens IS NULL'),
  ]
  const condition = all([rowCondition(database, checkedFilter(database, options)), isInSums(database)])
  const rows = database
    .prepare<unknown[]>(
      `SELECT ${NAMES[options.by]}, ${sums.join(', ')} FROM requests WHERE ${condition.sql} GROUP BY 1`,
    )
    .raw()
    .safeIntegers()
    .iterate(...condition.values) as IterableIterator<[string, ...bigint[]]>
  const found = new Map<string, ModelCosts>()
  for (const [name, ...columns] of rows) {
    const [requests = 0n, high = 0n, low = 0n, billionths = 0n, unpriced, unpricedFailures] = columns
    const [highTokens = 0n, lowTokens = 0n, unknownTokens] = columns.slice(6)
    found.set(name, {
      requests: Number(requests),
      cost: ((high << LOW_BITS) + low) * BILLION + billionths,
      unpriced: Number(unpriced),
      unpricedFailures: Number(unpricedFailures),
      tokens: (highTokens << LOW_BITS) + lowTokens,
      unknownTokens: Number(unknownTokens),
    })
  }
  return found
}

export function addCosts(a: ModelCosts, b: ModelCosts): ModelCosts {
  return {
    requests: a.requests + b.requests,
    cost: a.cost + b.cost,
    unpriced: a.unpriced + b.unpriced,
    unpricedFailures: a.unpricedFailures + b.unpricedFailures,
    tokens: a.tokens + b.tokens,
    unknownTokens: a.unknownTokens + b.unknownTokens,
  }
}
