import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BatchItem } from '../../src/events/place.js'
import { fold, foldDeferred, keysOf } from '../../src/folds/requests.js'
import { Sums } from '../../src/folds/sums/sums.js'
import type { RebuildTransaction, Store, StoreTransaction } from '../../src/store/port.js'
import { addCounts, emptyCounts, emptyPosition, type SegmentPosition } from '../../src/store/positions.js'
import { ended, logged as log, rejected } from '../folds/given.js'
import { runs } from '../support/runs.js'
import { Model, type Row, type Tables } from './model.js'

/** A step of a transaction at which a store can be made to fail. */
export type Step = 'insert' | 'complete' | 'hold' | 'reject' | 'sum' | 'advance' | 'commit'

/** A new and empty store, with what a test needs beside its port. */
export interface OpenedStore {
  store: Store
  /** Everything that is projected, by the names of `Model.tables`. */
  tables(): Promise<Tables>
  /** Opens another store in the same place. */
  openAgain(): Promise<Store>
  /** Makes the store fail at a step, until the function that is returned is called. */
  failAt(step: Step): Promise<() => Promise<void>>
  /** Closes the store, and removes everything. */
  remove(): Promise<void>
}

type Kind = 'usual' | 'bulk'
type Items = readonly BatchItem[]

/** Some batches that are committed together. */
interface Commit {
  kind: Kind
  batches: readonly Items[]
}

const [FIRST, SECOND] = [20261122000, 20261123000] as const
const KINDS = ['usual', 'bulk'] as const

/** Late lines are never written in bulk, where held completions would be applied in another order. */
function withoutLateBulk(commits: readonly Commit[]): Commit[] {
  let newest = 0
  return commits.map((commit) => {
    const ids = commit.batches.flat().map(({ segmentId }) => segmentId)
    const isLate = ids.some((id, index) => id < Math.max(newest, ...ids.slice(0, index)))
    newest = Math.max(newest, ...ids)
    return isLate ? { ...commit, kind: 'usual' } : commit
  })
}

/**
 * Checks that a store keeps the contract of src/store/port.ts.
 *
 * @param histories how many random histories a property tries in `npm test`.
 */
export function conformance(name: string, open: () => Promise<OpenedStore>, histories = 20): void {
  const withStore = async (check: (opened: OpenedStore) => Promise<void>) => {
    const opened = await open()
    try {
      await check(opened)
    } finally {
      await opened.remove()
    }
  }

  describe.each(KINDS)(`${name}, in a transaction of the kind %s`, (kind) => {
    // Each line finds what those before it have left; 'a' has been requested before all of them.
    test.for<[string, Items]>([
      ['keeps requests, and what a completion overwrites', [stream('b', 10), end('b', 20), log('c', 30)]],
      ['finds a row of an earlier commit', [end('a', 10)]],
      ['holds a completion until its request comes', [end('b', 10), end('b', 20), stream('b', 30)]],
      ['holds a completion whose request never comes', [end('b', 10, { attempt: 1 }), log('b', 20)]],
      ['counts a repeated completion', [end('a', 10), end('a', 20, { success: false }), end('a', 30)]],
      ['counts an ambiguous completion', [stream('a', 10), end('a', 20), end('a', 30), end('a', 40)]],
      ['finds the attempt that is named', [stream('a', 10, { attempt: 1 }), end('a', 20, { attempt: 1 })]],
      ['keeps rejected lines', [rejected(10), log('b', 20), rejected(30)]],
      ['takes the samples of a ratio back', [end('a', 10, { input_tokens: 4 }), end('a', 20)]],
    ])('%s', async ([, items]) => {
      await withStore(async (opened) => {
        const first = log('a', 0, { streaming: true, policy: 'chat', cost_sats: 1.5 })
        await expectModel(opened, [
          { kind: 'usual', batches: [[first]] },
          { kind, batches: [items] },
        ])
      })
    })

    test('leaves everything as it was when it is rolled back', async () => {
      await withStore(async (opened) => {
        await project(opened.store, [log('a', 0)], kind)
        const before = await everything(opened)
        const transaction = await opened.store.begin(kind)
        await write(opened.store, transaction, [[end('a', 10), log('b', 20), rejected(30), end('c', 40)]])
        await transaction.rollback()
        expect(await everything(opened)).toEqual(before)
        await project(opened.store, [log('b', 10)], kind)
        expect(await tablesOf(opened)).toEqual(modelOf([log('a', 0), log('b', 10)]))
      })
    })

    test('doesn’t advance a position that isn’t the expected one', async () => {
      await withStore(async (opened) => {
        await project(opened.store, [log('a', 0)], kind)
        const before = await everything(opened)
        const [position] = await opened.store.positions()
        if (position === undefined) throw new Error('no position')
        const transaction = await opened.store.begin(kind)
        await write(opened.store, transaction, [[log('b', 10)]])
        expect(await transaction.advance(0, { ...position, projectedBytes: 20 })).toBe(false)
        await transaction.rollback()
        expect(await everything(opened)).toEqual(before)
      })
    })

    test.for<Step>(['insert', 'complete', 'hold', 'reject', 'sum', 'advance', 'commit'])(
      'that fails to %s leaves neither rows nor position, and can be done again',
      async (step) => {
        await withStore(async (opened) => {
          const first = [stream('a', 0)]
          const second = [log('b', 10), end('a', 20), end('c', 30), rejected(40)]
          await project(opened.store, first, kind)
          const before = await everything(opened)
          const mend = await opened.failAt(step)
          await expect(project(opened.store, second, kind)).rejects.toThrow()
          expect(await everything(opened)).toEqual(before)
          await mend()
          await project(opened.store, second, kind)
          expect(await tablesOf(opened)).toEqual(modelOf([...first, ...second]))
        })
      },
    )
  })

  describe(name, () => {
    test('holds the same as the model, whatever comes in whatever order, however it is cut', {
      timeout: 60_000,
    }, async () => {
      await fc.assert(
        fc.asyncProperty(commits(lines([FIRST, SECOND])), (made) =>
          withStore((opened) => expectModel(opened, withoutLateBulk(made))),
        ),
        runs(histories),
      )
    })

    test('holds the same after a rebuild, and as before after one that was rolled back', {
      timeout: 60_000,
    }, async () => {
      await fc.assert(
        fc.asyncProperty(commits(lines([FIRST])), fc.boolean(), (made, isCommitted) =>
          withStore(async (opened) => {
            await expectModel(opened, made)
            const before = await everything(opened)
            await rebuild(opened.store, itemsOf(made), isCommitted)
            expect(await everything(opened)).toEqual(before)
          }),
        ),
        runs(Math.ceil(0.6 * histories)),
      )
    })

    test('rebuilds roll-ups by other labels, leaves out lines that are gone, and notes what is missing', async () => {
      await withStore(async (opened) => {
        const kept = log('a', 0, { labels: { team: 'x' } })
        const lost = [end('a', 0), end('a', 10), rejected(20), end('c', 30), log('b', 40)]
        const gone = lost.map((item): BatchItem => ({ ...item, segmentId: SECOND }))
        await project(opened.store, [kept], 'usual')
        await project(opened.store, gone, 'usual')
        const [position] = await opened.store.positions()
        const transaction = await opened.store.beginRebuild({ before: [], rollupLabels: ['team'] })
        expect(transaction.rollupLabels).toEqual(['team'])
        await transaction.replaceAcceptedMissing(['2026-11-23.ndjson'])
        await transaction.addLost({ name: '2026-11-23.ndjson', isReplaced: false })
        await rebuildInto(transaction, [kept])
        // Counters never fall.
        const { counters, latency_counters } = modelOf([kept, ...gone])
        expect(await tablesOf(opened)).toEqual({ ...modelOf([kept], ['team']), counters, latency_counters })
        expect(await opened.store.positions()).toEqual([position])
        expect(await opened.store.acceptedMissing()).toEqual(new Set(['2026-11-23.ndjson']))
      })
    })

    test('has one holder at a time', async () => {
      await withStore(async (opened) => {
        await expect(opened.openAgain()).rejects.toMatchObject({ code: 'PROJECTOR_RUNNING' })
        await project(opened.store, [log('a', 0)], 'usual')
        await opened.store.close()
        const next = await opened.openAgain()
        try {
          await project(next, [stream('b', 10)], 'usual')
          expect(await tablesOf(opened)).toEqual(modelOf([log('a', 0), stream('b', 10)]))
        } finally {
          await next.close()
        }
      })
    })

    test('gives back positions as they were advanced, in the order of segments', async () => {
      await withStore(async ({ store }) => {
        const [later, sooner] = [emptyPosition(SECOND, '2026-11-23.ndjson', 'j', FILE), positionOf(FIRST)]
        const projected: SegmentPosition = {
          ...later,
          projectedBytes: 2 ** 40,
          projectedCrc32: 2 ** 32 - 1,
          caughtUpAt: '2026-11-23T10:00:00.000Z',
          lastLine: { byteOffset: 2 ** 40 - 7, length: 7, crc32: 2 ** 31 },
          counts: {
            lines: 1,
            requests: 2,
            completions: 3,
            prices: 7,
            rates: 8,
            rejected: 4,
            unchecked: 5,
            late: 6,
          },
        }
        const transaction = await store.begin('usual')
        await transaction.addSegment(later)
        await transaction.addSegment(sooner)
        expect(await transaction.advance(0, projected)).toBe(true)
        await transaction.commit()
        expect(await store.positions()).toEqual([sooner, projected])
        const file = { device: '18446744073709551615', inode: '18446744073709551614' }
        await store.rememberFile(SECOND, file)
        expect(await store.positions()).toEqual([sooner, { ...projected, file }])
      })
    })

    test('knows the segments that are missing now, and no others', async () => {
      await withStore(async ({ store }) => {
        expect(await store.acceptedMissing()).toEqual(new Set())
        await store.replaceAcceptedMissing(['a', 'b', 'a'])
        expect(await store.acceptedMissing()).toEqual(new Set(['a', 'b']))
        await store.replaceAcceptedMissing(['b', 'c'])
        expect(await store.acceptedMissing()).toEqual(new Set(['b', 'c']))
        expect(await store.pruned()).toMatchObject({ isNone: true })
      })
    })

    test('keeps roll-ups by the labels that were chosen while there were no requests', async () => {
      await withStore(async (opened) => {
        const { store } = opened
        expect(await store.chooseRollupLabels(['team', 'b', 'team'])).toEqual(['b', 'team'])
        expect(await store.rollupLabels()).toEqual(['b', 'team'])
        const items = [
          log('a', 0, { labels: { team: 'x', tier: 'y' } }),
          log('b', 10, { labels: { b: 'z' } }),
        ]
        await project(store, items, 'usual')
        expect(await tablesOf(opened)).toEqual(modelOf(items, ['b', 'team']))
        expect(await store.chooseRollupLabels(['team', 'b'])).toEqual(['b', 'team'])
        await expect(store.chooseRollupLabels(['tier'])).rejects.toMatchObject({
          code: 'OTHER_ROLLUP_LABELS',
        })
        await expect(store.chooseRollupLabels([''])).rejects.toThrow(RangeError)
      })
    })

    test('is there, of this version, and finds bulk not worth it for no lines', async () => {
      await withStore(async ({ store }) => {
        await store.checkIsThere()
        await store.checkVersions()
        expect(store.name).not.toBe('')
        expect(await store.isWorthBulk(0, [])).toBe(false)
      })
    })
  })
}

const FILE = { device: '1', inode: '2' }

function positionOf(segmentId: number): SegmentPosition {
  return emptyPosition(segmentId, segmentId === FIRST ? '2026-11-22.ndjson' : '2026-11-23.ndjson', 'j', FILE)
}

function stream(id: string, byteOffset: number, fields: object = {}): BatchItem {
  return log(id, byteOffset, { streaming: true, policy: 'chat', cost_sats: 2.25, ...fields })
}

function end(id: string, byteOffset: number, fields: object = {}): BatchItem {
  return ended(id, byteOffset, { output_tokens: 7, cost_sats: 0.75, success: true, ...fields })
}

function itemsOf(commits: readonly Commit[]): BatchItem[] {
  return commits.flatMap(({ batches }) => batches.flat())
}

function modelOf(items: Items, labels: readonly string[] = ['tier']): Tables {
  const model = new Model()
  for (const item of items) model.add(item)
  return withWholeCosts(model.tables(labels))
}

/** Stores may keep a sum of costs as one number, or as whole units and billionths of any size. */
function withWholeCosts(tables: Tables): Tables {
  const whole = (row: Row): Row => {
    const costs = Object.entries(row).flatMap(([name, nanos]) => {
      const [, prefix, currency] = /^(.*cost_)nano(sats|usd)$/.exec(name) ?? []
      if (prefix === undefined) return []
      const cost = Number(row[`${prefix}${currency}`]) + Number(nanos) / 1e9
      return [
        [`${prefix}${currency}`, cost],
        [name, 0],
      ]
    })
    return { ...row, ...Object.fromEntries(costs) }
  }
  return Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, rows.map(whole)]))
}

async function tablesOf({ tables }: OpenedStore): Promise<Tables> {
  return withWholeCosts(await tables())
}

/** Commits, and compares with the model each time. */
async function expectModel(opened: OpenedStore, commits: readonly Commit[]): Promise<void> {
  const model = new Model()
  const { store } = opened
  for (const { kind, batches } of commits) {
    await inTransaction(await store.begin(kind), (transaction) => write(store, transaction, batches))
    for (const item of batches.flat()) model.add(item)
    expect(await tablesOf(opened)).toEqual(withWholeCosts(model.tables(['tier'])))
  }
}

async function project(store: Store, items: Items, kind: Kind): Promise<void> {
  await inTransaction(await store.begin(kind), (transaction) => write(store, transaction, [items]))
}

async function inTransaction<Transaction extends StoreTransaction>(
  transaction: Transaction,
  action: (transaction: Transaction) => Promise<void>,
): Promise<void> {
  try {
    await action(transaction)
    await transaction.commit()
  } catch (error) {
    await transaction.rollback()
    throw error
  }
}

/** Writes batches, each of one segment, and advances what they belong to. */
async function write(store: Store, transaction: StoreTransaction, batches: readonly Items[]): Promise<void> {
  const stored = new Map((await store.positions()).map((position) => [position.id, position]))
  const sums = new Sums(await store.rollupLabels())
  await writeWith(transaction, { batches, sums, stored })
}

async function writeWith(
  transaction: StoreTransaction,
  given: { batches: readonly Items[]; sums: Sums; stored: ReadonlyMap<number, SegmentPosition> },
): Promise<void> {
  const { batches, sums, stored } = given
  const positions = new Map<number, SegmentPosition>()
  for (const items of batches) {
    const segmentId = items[0]?.segmentId ?? FIRST
    let position = positions.get(segmentId) ?? stored.get(segmentId)
    if (position === undefined) {
      position = positionOf(segmentId)
      await transaction.addSegment(position)
    }
    const changes = fold(await transaction.load(keysOf(items)), items)
    await transaction.apply(changes)
    sums.add(changes)
    const counts = addCounts(position.counts, { ...emptyCounts(), lines: items.length })
    const projectedBytes = position.projectedBytes + items.length
    positions.set(segmentId, { ...position, counts, projectedBytes })
  }
  for await (const { known, completions } of transaction.deferred()) {
    const changes = foldDeferred(known, completions)
    await transaction.apply(changes)
    sums.add(changes)
  }
  await transaction.addSums(sums.take())
  for (const [segmentId, position] of positions) {
    const expectedBytes = stored.get(segmentId)?.projectedBytes ?? 0
    expect(await transaction.advance(expectedBytes, position)).toBe(true)
  }
}

async function rebuild(store: Store, items: Items, isCommitted: boolean): Promise<void> {
  const before = await store.positions()
  const transaction = await store.beginRebuild({ before, rollupLabels: undefined })
  if (isCommitted) await rebuildInto(transaction, items)
  else await transaction.rollback()
}

/** Every line was projected before: the counters have them. */
async function rebuildInto(transaction: RebuildTransaction, items: Items): Promise<void> {
  const sums = new Sums(transaction.rollupLabels, () => false)
  await inTransaction(transaction, async () => {
    for await (const requests of transaction.unjournaledRequests()) expect(requests).toEqual([])
    await writeWith(transaction, { batches: items.length === 0 ? [] : [items], sums, stored: new Map() })
  })
}

/** What a failure must leave as it was. */
async function everything(opened: OpenedStore): Promise<unknown> {
  const { store } = opened
  return [await store.positions(), await store.acceptedMissing(), await tablesOf(opened)]
}

/** Lines over few correlation ids, which come in the order of the list. */
function lines(segments: readonly number[]): fc.Arbitrary<BatchItem[]> {
  const tokens = fc.option(fc.nat(9), { nil: null })
  const fields = fc.record({
    attempt: fc.constantFrom(undefined, 0, 1),
    input_tokens: tokens,
    output_tokens: tokens,
    cost_sats: fc.option(
      fc.integer({ min: -8, max: 40 }).map((quarters) => quarters / 4),
      { nil: null },
    ),
    success: fc.boolean(),
    error_status: fc.constantFrom(null, 500),
  })
  const request = fc.record({
    policy: fc.constantFrom('chat', 'code', null),
    provider: fc.constantFrom('p', null),
    streaming: fc.boolean(),
    latency_ms: fc.nat(60),
    timestamp: fc.constantFrom(
      '2026-11-22T10:00:00.000Z',
      '2026-11-22T11:30:00.000Z',
      '2026-11-23T00:00:00.000Z',
    ),
    labels: fc.constantFrom(undefined, { tier: 'ä'.repeat(65) }, { tier: 'local', team: 'x' }),
  })
  const line = fc.record({
    type: fc.constantFrom('request', 'request', 'completion', 'completion', 'rejected'),
    id: fc.constantFrom('a', 'b', 'c'),
    segmentId: fc.constantFrom(...segments),
    fields,
    request,
  })
  return fc.array(line, { minLength: 1, maxLength: 30 }).map((made) =>
    made.map(({ type, id, segmentId, fields, request }, byteOffset): BatchItem => {
      switch (type) {
        case 'request':
          return { ...log(id, byteOffset, { ...fields, ...request }), segmentId }
        case 'completion':
          return { ...ended(id, byteOffset, { ...fields, stream_duration_ms: 3 }), segmentId }
        default:
          return { ...rejected(byteOffset), segmentId }
      }
    }),
  )
}

/** Cuts lines into batches of one segment, and batches into commits of either kind. */
function commits(items: fc.Arbitrary<BatchItem[]>): fc.Arbitrary<Commit[]> {
  const cut = fc.record({
    isBatchEnd: fc.boolean(),
    isCommitEnd: fc.boolean(),
    kind: fc.constantFrom(...KINDS),
  })
  return fc.tuple(items, fc.array(cut, { minLength: 30, maxLength: 30 })).map(([all, cuts]) => {
    const made: { kind: Kind; batches: BatchItem[][] }[] = []
    for (const [index, item] of all.entries()) {
      const { isBatchEnd, isCommitEnd, kind } = cuts[index] ?? {
        isBatchEnd: true,
        isCommitEnd: true,
        kind: 'usual',
      }
      if (made.length === 0 || isCommitEnd) made.push({ kind, batches: [] })
      const batches = made.at(-1)?.batches ?? []
      const batch = batches.at(-1)
      if (batch === undefined || isBatchEnd || batch[0]?.segmentId !== item.segmentId) batches.push([item])
      else batch.push(item)
    }
    return made
  })
}
