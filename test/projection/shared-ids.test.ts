import SQLite from 'better-sqlite3'
import { expect, vi } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { projectOnceWith } from '../../src/projection/projector.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { test } from '../support/workspace.js'

const COUNT = 200

/** Counts the rows that SQLite gives while `act` runs. */
async function rowsRead(act: () => Promise<unknown>): Promise<number> {
  const database = new SQLite(':memory:')
  const statements: SQLite.Statement = Object.getPrototypeOf(database.prepare('SELECT 1'))
  database.close()
  let rows = 0
  const { all, iterate } = statements
  vi.spyOn(statements, 'all').mockImplementation(function (this: SQLite.Statement, ...values) {
    const found = all.apply(this, values)
    rows += found.length
    return found
  })
  vi.spyOn(statements, 'iterate').mockImplementation(function* (this: SQLite.Statement, ...values) {
    for (const row of iterate.apply(this, values)) {
      rows++
      yield row
    }
  })
  await act()
  vi.restoreAllMocks()
  return rows
}

const repeat = (...text: string[]) => Array.from({ length: COUNT }, () => text).flat()
const stream = (attempt?: number) => requestLine('a', { streaming: true, attempt })
const end = (attempt?: number) => completionLine('a', { attempt, output_tokens: 1, success: true })

test.for([[undefined], [1]])(
  'a completion in bulk reads few of the rows that share its id (attempt %s)',
  async ([attempt], { workspace }) => {
    writeSegment(workspace.journal, lines(...repeat(stream(attempt), end(attempt))))
    expect(await rowsRead(() => projectOnceWith(workspace, Date, 0))).toBeLessThan(8 * COUNT)
  },
)

test('completions that all name their attempt read no open streams', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(...repeat(stream()), stream(1), stream()))
  await projectOnce(workspace)
  writeSegment(workspace.journal, lines(...repeat(end(1))))
  expect(await rowsRead(() => projectOnce(workspace))).toBeLessThan(100)
})

test('completions that are held for one id are read once for all requests of a batch', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, lines(...repeat(end(7))))
  await projectOnce(workspace)
  writeSegment(workspace.journal, lines(...repeat(stream(0))))
  expect(await rowsRead(() => projectOnce(workspace))).toBeLessThan(2 * COUNT)
  expect(workspace.query('SELECT count(*) AS held FROM held_completions')).toEqual([{ held: COUNT }])
})
