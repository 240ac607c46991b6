import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { BatchItem } from '../../../src/events/place.js'
import { fold, keysOf } from '../../../src/folds/requests.js'
import { isTransient } from '../../../src/projection/transient-errors.js'
import type { StoreTransaction } from '../../../src/store/port.js'
import { PostgresStore } from '../../../src/store/postgres/postgres-store.js'
import { ended, logged, rejected } from '../../folds/given.js'
import { ask } from '../../support/fleet-checker.js'
import { noPostgres } from '../../support/postgres.js'
import { newStore } from './support.js'

/** Opens a store in new tables; `read` asks them from a session of its own. */
async function opened() {
  const { store, database: address, schema } = await newStore('transaction')
  const read = (sql: string) => ask(`${address}?options=-csearch_path%3D${schema}`, sql)
  return { store, read }
}

async function add(transaction: StoreTransaction, ...items: BatchItem[]): Promise<void> {
  await transaction.apply(fold(await transaction.load(keysOf(items)), items))
}

test.skipIf(noPostgres !== null)(
  'a transaction that is rolled back while it writes leaves nothing in the next one',
  async () => {
    const { store, read } = await opened()
    const first = await store.begin('usual')
    // The server is still inserting these when the transaction ends, and other rows come after them.
    const many = Array.from({ length: 5000 }, (_, n) => rejected(n + 2))
    await add(first, logged('a', 0), ended('unknown', 1), ...many)
    await setImmediate()
    await first.rollback()
    const second = await store.begin('usual')
    // Each completion is looked up, so that the transaction takes a while.
    for (let n = 0; n < 20; n++) await add(second, logged(`b${n}`, 2 * n), ended(`b${n}`, 2 * n + 1))
    await second.commit()
    expect(await read("SELECT count(*)::int AS n FROM requests WHERE correlation_id LIKE 'b%'")).toEqual([
      { n: 20 },
    ])
    for (const others of ["requests WHERE correlation_id = 'a'", 'held_completions', 'rejected_lines']) {
      expect(await read(`SELECT 1 FROM ${others}`)).toEqual([])
    }
    await store.close()
  },
)

test.skipIf(noPostgres !== null)(
  'a partition that was rolled back with its rows is made again with them',
  async () => {
    const { store, read } = await opened()
    const may = logged('a', 0, { timestamp: '2031-05-01T00:00:00.000Z' })
    for (const end of ['rollback', 'commit'] as const) {
      const transaction = await store.begin('usual')
      await add(transaction, may)
      // Waits until the row is written.
      await transaction.addSums({ ratios: [], rollups: [] })
      await transaction[end]()
    }
    const partition = await read('SELECT tableoid::regclass::text AS name FROM requests')
    expect(partition).toEqual([{ name: 'requests_2031_05' }])
    await store.close()
  },
)

test.skipIf(noPostgres !== null).each([
  ['another journal has the number of this one', "journal_id = 'another'", "journal_id = 'j'"],
  // Perhaps as many requests as now, and fewer completions.
  [
    'they are of an earlier commit',
    "last_seen = last_seen - INTERVAL '1 microsecond'",
    "last_seen = last_seen + INTERVAL '1 microsecond'",
  ],
])('no transaction begins in tables that were put back: %s', async (_, change, undo) => {
  const { store, read } = await opened()
  const first = await store.begin('usual')
  await add(first, logged('a', 0))
  await first.commit()
  await read(`UPDATE journals SET ${change}`)
  const failure = await store.begin('usual').catch((error) => error)
  expect(failure).toMatchObject({ code: 'TABLES_RESTORED' })
  expect(isTransient(failure)).toBe(true)
  await read(`UPDATE journals SET ${undo}`)
  const second = await store.begin('usual')
  await add(second, logged('b', 10))
  await second.commit()
  expect(await read('SELECT correlation_id AS id FROM requests ORDER BY id')).toEqual([
    { id: 'a' },
    { id: 'b' },
  ])
  await store.close()
})

test.skipIf(noPostgres !== null)('projectors that begin at once choose the same labels for all', async () => {
  const { store, database: address, schema } = await newStore('labels')
  const place = { address, schema, version: '0', purpose: 'project' } as const
  const others = await Promise.all(
    ['k', 'l', 'm'].map((journalId) => PostgresStore.open({ ...place, journalId })),
  )
  const stores = [store, ...others]
  for (const labels of [['a'], ['b', 'c'], ['d'], ['e', 'f']]) {
    const chosen = await Promise.all(stores.map((each) => each.chooseRollupLabels(labels)))
    expect(chosen).toEqual(stores.map(() => labels))
  }
  for (const each of stores) await each.close()
})
