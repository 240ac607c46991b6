import { expect } from 'vitest'
import { readIdentity } from '../../src/journal/journal-identity.js'
import { CatchUp } from '../../src/projection/catch-up.js'
import { openDatabase, replay } from '../../src/projection/index.js'
import { repriceAll, repriceSome } from '../../src/projection/repricing.js'
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { checkedLine, requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

const REQUEST = requestLine('r', { input_tokens: 10, output_tokens: 0 })
const PRICE = checkedLine({
  type: 'price_set',
  model: 'gpt-4o',
  valid_from: '2026-11-01T00:00:00.000Z',
  currency: 'usd',
  per_million: { input: '1' },
})
const COSTS = 'SELECT cost_usd AS usd FROM requests'

/** Projects a request without a price, and lends the projector's store and its looks. */
async function withUnpriced(
  { journal, database }: Workspace,
  use: (store: SqliteStore, look: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  writeSegment(journal, lines(REQUEST))
  const store = new SqliteStore(database, { purpose: 'project' })
  const catchUp = await CatchUp.start({ directory: journal, identity: readIdentity(journal), store })
  const look = () => catchUp.run(() => false)
  await look()
  writeSegment(journal, lines(PRICE))
  await use(store, look)
  catchUp.close()
  store.close()
}

/** Makes each change of a table's rows fail while something is done. */
async function whileFailing(
  { database }: Workspace,
  table: string,
  act: () => Promise<unknown>,
): Promise<void> {
  const change = (sql: string) => {
    const other = openDatabase(database)
    other.pragma('busy_timeout = 0')
    other.exec(sql)
    other.close()
  }
  change(`CREATE TRIGGER failure BEFORE UPDATE ON ${table} BEGIN SELECT RAISE(ABORT, 'injected'); END`)
  await expect(act()).rejects.toThrow('injected')
  change('DROP TRIGGER failure')
}

test('a price whose transaction failed reprices the rows before it once it is projected', async ({
  workspace,
}) => {
  await withUnpriced(workspace, async (store, look) => {
    await whileFailing(workspace, 'journal_segments', look)
    await look()
    await repriceAll(store)
    expect(workspace.query(COSTS)).toEqual([{ usd: 0.00001 }])
  })
})

test('repricing that failed lets others write, and begins again where it was', async ({ workspace }) => {
  await withUnpriced(workspace, async (store, look) => {
    await look()
    await whileFailing(workspace, 'requests', () => repriceSome(store))
    expect(workspace.query(COSTS)).toEqual([{ usd: null }])
    expect(await repriceSome(store)).toBe(1)
    expect(await repriceSome(store)).toBe(null)
    expect(workspace.query(COSTS)).toEqual([{ usd: 0.00001 }])
  })
})

test('a replay while a repricing is pending counts the requests with the costs of their rows', async ({
  workspace,
}) => {
  const COUNTED = 'SELECT requests, cost_usd AS usd, cost_nanousd AS nanos FROM request_counters'
  await withUnpriced(workspace, async (_, look) => {
    await look()
  })
  expect(workspace.query(COSTS)).toEqual([{ usd: null }])
  await replay(workspace)
  expect(workspace.query(COSTS)).toEqual([{ usd: 0.00001 }])
  expect(workspace.query(COUNTED)).toEqual([{ requests: 1, usd: 0, nanos: 10_000 }])
})
