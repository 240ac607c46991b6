import { type Latencies, mergeLatencies } from '../../../folds/sums/latencies.js'
import { type Rollup, SUMS } from '../../../folds/sums/rollup-cells.js'
import type { Database } from '../connection/database.js'
import { RowQueue } from '../row-queue.js'

/** Two tables with the same key, one for the sums and one for the latencies. */
interface RollupRowsOptions {
  sums: string
  latencies: string
  key: readonly string[]
}

type KeyValue = string | number

/** Adds roll-ups to the rows of their tables. */
export class RollupRows {
  readonly #newSums: RowQueue
  readonly #newLatencies: RowQueue
  readonly #statements: ReturnType<typeof prepareStatements>

  constructor(database: Database, options: RollupRowsOptions) {
    defineMerge(database)
    const { sums, latencies, key } = options
    const placeholders = [...key.map(() => '?'), ...SUMS.map(() => INTEGER)]
    this.#newSums = new RowQueue(database, sums, [...key, ...SUMS], placeholders)
    this.#newLatencies = new RowQueue(database, latencies, [...key, 'buckets'])
    this.#statements = prepareStatements(database, options)
  }

  /** Forgets the rows that a failed write left in the queues. */
  clear(): void {
    this.#newSums.clear()
    this.#newLatencies.clear()
  }

  /**
   * Adds a roll-up that has no rows yet. Its rows are inserted by the next call of `insert` at the
   * latest, and fastest if they are added in the order of keys.
   */
  addNew(key: readonly KeyValue[], { sums, latencies }: Rollup): void {
    this.#newSums.add(key, sums)
    if (latencies.length > 0) this.#newLatencies.add([...key, latencies])
  }

  /** Adds to a roll-up that may have rows. */
  add(key: readonly KeyValue[], { sums, latencies }: Rollup): void {
    const { addSums, addLatencies, takeLatencies } = this.#statements
    addSums.run(...key, ...sums)
    if (latencies.length === 0) return
    const isAdded = (sums[0] ?? 0) > 0
    if (isAdded) addLatencies.run(...key, latencies)
    else if (takeLatencies.run(latencies, ...key).changes === 0) {
      throw new Error('unreachable: latencies that were never added are taken out')
    }
  }

  insert(): void {
    this.#newSums.insert()
    this.#newLatencies.insert()
  }
}

/**
 * Bound numbers are doubles. Without the cast a sum would be a double too, and inexact beyond 2^53.
 */
const INTEGER = 'CAST(? AS INTEGER)'

function prepareStatements(database: Database, { sums, latencies, key }: RollupRowsOptions) {
  const keys = key.map(() => '?').join(', ')
  return {
    addSums: database.prepare<KeyValue[]>(
      `INSERT INTO ${sums} (${[...key, ...SUMS].join(', ')}) VALUES (${keys}, ${SUMS.map(() => INTEGER).join(', ')})
       ON CONFLICT DO UPDATE SET ${SUMS.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')}`,
    ),
    addLatencies: database.prepare<(KeyValue | Latencies)[]>(
      `INSERT INTO ${latencies} (${key.join(', ')}, buckets) VALUES (${keys}, ?)
       ON CONFLICT DO UPDATE SET buckets = merge_latencies(buckets, excluded.buckets, 1)`,
    ),
    takeLatencies: database.prepare<(KeyValue | Latencies)[]>(
      `UPDATE ${latencies} SET buckets = merge_latencies(buckets, ?, -1)
       WHERE ${key.map((name) => `${name} = ?`).join(' AND ')}`,
    ),
  }
}

function defineMerge(database: Database): void {
  const options = { deterministic: true, directOnly: true }
  database.function('merge_latencies', options, (stored: unknown, changes: unknown, sign: unknown) => {
    if (!Buffer.isBuffer(stored) || !Buffer.isBuffer(changes)) {
      throw new TypeError(
        `latencies of a roll-up: found a value of type ${typeof stored}, expected bytes: rebuild them with \`request-journal replay\``,
      )
    }
    return mergeLatencies(stored, changes, sign === 1 ? 1 : -1)
  })
}
