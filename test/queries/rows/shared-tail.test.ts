import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type NewRequests,
  newRequests,
  openDatabaseReadOnly,
  type PostgresQueryConnection,
  type TailPosition,
} from '../../../src/queries/index.js'
import type { Connection } from '../../../src/store/postgres/connection/connection.js'
import { IDS_PER_JOURNAL } from '../../../src/store/postgres/row-ids.js'
import { TestFleet } from '../../server/fleet/support.js'
import { EMPTY } from '../../store/postgres/support.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { runs } from '../../support/runs.js'

/** A projector whose transactions a test begins and ends when it likes. */
class Writer {
  readonly journal: number
  readonly connection: Connection
  #next = 1
  /** Ids that the open transaction has written. */
  #open: number[] = []
  /** Ids that were committed, in order. */
  readonly committed: number[] = []

  constructor(journal: number, connection: Connection) {
    this.journal = journal
    this.connection = connection
  }

  /** Forgets all: the tables are empty again. */
  async begin(): Promise<void> {
    this.#next = 1
    this.committed.length = 0
    await this.run(
      `INSERT INTO journals (number, journal_id) VALUES (${this.journal}, 'journal ${this.journal}')`,
    )
  }

  async run(sql: string): Promise<void> {
    await this.connection.transaction(() => this.connection.exec(sql))
  }

  async write(isStream = false): Promise<void> {
    if (this.#open.length === 0) await this.connection.begin()
    const id = this.journal * IDS_PER_JOURNAL + this.#next++
    await this.connection.exec(
      `INSERT INTO requests (journal, id, correlation_id, timestamp, model, streaming, latency_ms, success, segment_id, byte_offset)
       VALUES (${this.journal}, ${id}, '${id}', now(), 'm', ${isStream}, 1, true, 1, ${this.#next})`,
    )
    this.#open.push(id)
  }

  async commit(): Promise<void> {
    if (this.#open.length === 0) return
    await this.connection.exec(
      `UPDATE journals SET next_ordinal = ${this.#next}, last_seen = now() WHERE number = ${this.journal}`,
    )
    await this.connection.commit()
    this.committed.push(...this.#open)
    this.#open = []
  }

  /** Ends a stream that was committed. */
  async complete(id: number): Promise<void> {
    await this.run(
      `UPDATE requests SET completed_segment_id = 1, completed_byte_offset = 1000000, output_tokens = 7
       WHERE journal = ${this.journal} AND id = ${id}`,
    )
  }
}

describe.skipIf(noPostgres !== null)('a tail over many journals', () => {
  let fleet: TestFleet
  let tail: PostgresQueryConnection
  let writers: [Writer, Writer]

  beforeAll(async () => {
    fleet = await TestFleet.make(await sharedPostgres())
    tail = openDatabaseReadOnly(fleet.address as 'postgres://', { schema: fleet.schema })
    writers = [new Writer(1, await fleet.connect()), new Writer(2, await fleet.connect())]
  })

  beforeEach(async () => {
    await writers[0].run(EMPTY)
    for (const writer of writers) await writer.begin()
  })

  afterAll(async () => {
    tail?.close()
    for (const { connection } of writers ?? []) await connection.close()
  })

  const begin = () => newRequests(tail, { afterId: null }).last_id

  /** All answers from a position up to the end. */
  const follow = (from: TailPosition, limit = 3): NewRequests[] => {
    const answers: NewRequests[] = []
    for (let afterId = from; ; ) {
      const answer = newRequests(tail, { afterId, limit })
      answers.push(answer)
      afterId = answer.last_id
      if (!answer.has_more) return answers
    }
  }

  const idsOf = (answers: readonly NewRequests[]) => answers.flatMap(({ data }) => data.map(({ id }) => id))

  test('shows the rows of a transaction that commits after others which took later ids', async () => {
    const [first, second] = writers
    const start = begin()
    await first.write()
    await second.write()
    await second.commit()
    const [seen] = follow(start)
    expect(seen?.data.map(({ id }) => id)).toEqual(second.committed)
    await first.commit()
    expect(idsOf(follow(seen?.last_id ?? ''))).toEqual(first.committed)
  })

  const actions = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.record({ is: fc.constant('write' as const), writer: fc.nat(1) }) },
      { weight: 2, arbitrary: fc.record({ is: fc.constant('commit' as const), writer: fc.nat(1) }) },
      { weight: 2, arbitrary: fc.record({ is: fc.constant('read' as const), writer: fc.constant(0) }) },
    ),
    { minLength: 5, maxLength: 25 },
  )

  test('shows each row once, in whatever order transactions commit, and wherever it is cut and resumed', async () => {
    await fc.assert(
      fc.asyncProperty(actions, async (drawn) => {
        await writers[0].run(EMPTY)
        for (const writer of writers) await writer.begin()
        const answers: NewRequests[] = []
        const start = begin()
        const read = () => answers.push(...follow(answers.at(-1)?.last_id ?? start, 2))
        for (const { is, writer } of drawn) {
          if (is === 'read') read()
          else await writers[writer as 0 | 1][is]()
        }
        for (const writer of writers) await writer.commit()
        read()
        const all = writers.flatMap(({ committed }) => committed)
        expect(idsOf(answers).toSorted((a, b) => a - b)).toEqual(all)
        const events = answers.flatMap(({ data, positions = [] }) =>
          data.map(({ id }, index) => ({ id, position: positions[index] ?? '' })),
        )
        for (const [index, { position }] of events.entries()) {
          const before = events.slice(0, index + 1).map(({ id }) => id)
          expect([...before, ...idsOf(follow(position))].toSorted((a, b) => a - b)).toEqual(all)
        }
      }),
      runs(12),
    )
  })

  test('a new journal is shown from its first row on', async () => {
    const [first] = writers
    await first.write()
    await first.commit()
    const start = begin()
    await first.run("INSERT INTO journals (number, journal_id) VALUES (3, 'journal 3')")
    const third = new Writer(3, first.connection)
    await third.write()
    await third.commit()
    expect(idsOf(follow(start))).toEqual([3 * IDS_PER_JOURNAL + 1])
  })

  test('tells the end of a stream, also after a cut, and also when it came while nobody listened', async () => {
    const [first, second] = writers
    await first.write(true)
    await first.write(true)
    await first.write()
    await first.commit()
    const [seen] = follow('p')
    const [missed, later] = first.committed
    expect(seen?.open_ids).toEqual([missed, later])
    await first.complete(missed as number)
    await second.write()
    await second.commit()
    const resumed = newRequests(tail, { afterId: seen?.last_id ?? '', openIds: null })
    expect(resumed.completed).toMatchObject([{ id: missed, tokens: { output: 7 } }])
    expect(resumed).toMatchObject({ open_ids: [later] })
    expect(resumed.data.map(({ id }) => id)).toEqual(second.committed)
    expect(resumed).not.toHaveProperty('has_gap')
    await first.complete(later as number)
    const { last_id: afterId, open_ids: openIds, open_from: openFrom } = resumed
    expect(newRequests(tail, { afterId, openIds, openFrom }).completed).toMatchObject([{ id: later }])
  })

  test('a filter by journal leaves the others out, and goes on after them', async () => {
    for (const writer of writers) {
      await writer.write()
      await writer.commit()
    }
    const filter = { journal: 'journal 2' }
    const [first, second] = [newRequests(tail, { afterId: 'p', filter }), begin()]
    expect(first.data.map(({ id }) => id)).toEqual(writers[1].committed)
    expect(first.last_id).toBe(second)
    expect(() => newRequests(tail, { afterId: null, filter: { journal: 'journal 9' } })).toThrow(
      expect.objectContaining({ code: 'JOURNAL_NOT_FOUND' }),
    )
  })

  test('a position ahead of the tables goes on from their end, and says that there is a gap', async () => {
    const [first] = writers
    await first.write()
    await first.commit()
    const { data, last_id, has_gap } = newRequests(tail, { afterId: 'p1.zz', openIds: null })
    expect({ data, last_id, has_gap }).toEqual({ data: [], last_id: 'p1.1-2.0', has_gap: true })
    for (const position of ['', 'p1', 'p1.1-', 'x', 'p1.1 ', 7]) {
      expect(() => newRequests(tail, { afterId: position })).toThrow(
        expect.objectContaining({ code: 'INVALID_CURSOR' }),
      )
    }
  })
})
