import { performance } from 'node:perf_hooks'
import { emptyChanges } from '../folds/changes.js'
import { reprice } from '../folds/costs/repricing.js'
import { Sums } from '../folds/sums/sums.js'
import type { Store, StoreTransaction } from '../store/port.js'

/** How many rows are read at a time. */
const PAGE_ROWS = 100

/** About how long one transaction takes, and so how long new lines may wait for their turn. */
const TRANSACTION_MS = 100

/**
 * Recomputes costs that new prices and rates may have changed, in one transaction that takes about
 * 100 ms.
 *
 * @returns how many rows were looked at; null if none is left.
 */
export async function repriceSome(store: Store): Promise<number | null> {
  if (!(await store.hasRowsToReprice())) return null
  const sums = new Sums(await store.rollupLabels())
  const transaction = await store.begin('usual')
  try {
    const until = performance.now() + TRANSACTION_MS
    let rows = 0
    for (;;) {
      const count = await repricePage(transaction, sums)
      rows += count ?? 0
      if (count === null || performance.now() >= until) break
    }
    await transaction.addSums(sums.take())
    await transaction.commit()
    return rows
  } catch (error) {
    await transaction.rollback()
    throw error
  }
}

/**
 * Recomputes all costs that new prices and rates may have changed, in transactions of about 100 ms.
 */
export async function repriceAll(store: Store): Promise<void> {
  while ((await repriceSome(store)) !== null);
}

/** Does the same as `repriceAll`, within an open transaction. */
export async function repriceWithin(transaction: StoreTransaction, sums: Sums): Promise<void> {
  while ((await repricePage(transaction, sums)) !== null);
}

/** @returns how many rows were looked at; null if none was left. */
async function repricePage(transaction: StoreTransaction, sums: Sums): Promise<number | null> {
  const page = await transaction.takeRowsToReprice(PAGE_ROWS)
  if (page === null) return null
  const changes = { ...emptyChanges(), repriced: reprice(page.book, page.requests, page.countsRetries) }
  await transaction.apply(changes)
  sums.add(changes)
  if (sums.isFull) await transaction.addSums(sums.take())
  return page.requests.length
}
