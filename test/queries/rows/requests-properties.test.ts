import fc from 'fast-check'
import { expect } from 'vitest'
import {
  type ListRequestsOptions,
  listRequests,
  type RequestCursorPage,
  START_CURSOR,
} from '../../../src/queries/index.js'
import { runs } from '../../support/runs.js'
import { filter, rows } from '../arbitrary-rows.js'
import { matches, type ReferenceRow } from '../reference.js'
import { fill, test } from '../support.js'

const sort = fc.constantFrom('timestamp' as const, 'cost_sats' as const, 'latency_ms' as const)
const order = fc.constantFrom('asc' as const, 'desc' as const)
const counted = fc.double({ min: 0, max: 1, noNaN: true })

/** Ids in order; an unknown cost is the smallest, ties go by id in the same direction. */
function sortedIds(
  all: ReferenceRow[],
  by: 'timestamp' | 'cost_sats' | 'latency_ms',
  isDescending: boolean,
): number[] {
  const key = (row: ReferenceRow) => row[by] ?? Number.NEGATIVE_INFINITY
  const ascending = all.toSorted((a, b) => (key(a) === key(b) ? a.id - b.id : key(a) < key(b) ? -1 : 1))
  return (isDescending ? ascending.reverse() : ascending).map(({ id }) => id)
}

test('pages by number and by key have the rows that match, in order, each once', ({ database }) => {
  fc.assert(
    fc.property(
      rows,
      counted,
      filter,
      sort,
      order,
      fc.integer({ min: 1, max: 20 }),
      (all, share, asked, by, direction, perPage) => {
        const known = all.slice(0, Math.round(share * all.length))
        fill(database, all, known.length)
        fc.pre(asked.model === undefined || known.some((row) => matches(row, { model: asked.model })))
        fc.pre(
          asked.provider === undefined || known.some((row) => matches(row, { provider: asked.provider })),
        )
        const options: ListRequestsOptions = { ...asked, sort: by, order: direction, perPage }
        const expected = sortedIds(
          all.filter((row) => matches(row, asked)),
          by,
          direction === 'desc',
        )

        const byNumber: number[] = []
        for (let page = 1; page <= Math.ceil(expected.length / perPage) + 1; page++) {
          const answer = listRequests(database, { ...options, cursor: undefined, page })
          expect(answer.total).toBe(expected.length)
          byNumber.push(...answer.data.map(({ id }) => id))
        }
        expect(byNumber).toEqual(expected)

        const byKey: number[] = []
        for (let cursor: string | undefined = START_CURSOR; cursor !== undefined; ) {
          const answer: RequestCursorPage = listRequests(database, { ...options, cursor })
          byKey.push(...answer.data.map(({ id }) => id))
          cursor = answer.next_cursor
        }
        expect(byKey).toEqual(expected)
      },
    ),
    runs(150),
  )
})
