import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openJournal } from '../../src/index.js'
import { projectOnce, replay } from '../../src/projection/index.js'
import { listRequests, newRequests, openDatabaseReadOnly, stats } from '../../src/queries/index.js'
import { requestLog, test } from '../support/workspace.js'

const long = (name: string) => `${name}-${'é'.repeat(50_000)}`

test('names of 100 kB take 1 KiB, from a foreign line too, and are found by what was logged', async ({
  workspace,
}) => {
  const names = { model: long('model'), provider: long('east'), policy: long('cheap') }
  const request = requestLog({ ...names, labels: { tier: long('tier'), [long('name')]: long('value') } })
  const journal = openJournal({ directory: workspace.journal })
  const ours = journal.record({ ...request, correlation_id: long('id'), streaming: true })
  expect(Buffer.byteLength(ours)).toBeLessThanOrEqual(1024)
  await journal.close()
  const [segment = ''] = workspace.segments()
  const foreign = [
    { ...request, correlation_id: long('other') },
    // Joined with our own line by the name that both were given.
    { type: 'stream_completed', correlation_id: long('id'), output_tokens: 7, success: true },
    { ...request, correlation_id: long('third'), model: `${names.model}!` },
  ]
  const lines = foreign.map((event) => `${JSON.stringify(event)}\n`)
  appendFileSync(join(workspace.journal, segment), lines.join(''))
  // The workspace's checker compares every row with what the specification says of the lines.
  await projectOnce(workspace)
  await replay(workspace)
  const columns = ['correlation_id', 'model', 'provider', 'policy']
  for (const column of columns) {
    expect(workspace.query(`SELECT max(octet_length(${column})) AS n FROM requests`)).toEqual([
      { n: expect.toSatisfy((n: number) => n > 1000 && n <= 1024) },
    ])
  }

  const database = openDatabaseReadOnly(workspace.database)
  try {
    const filters = [
      { model: names.model },
      { provider: names.provider, model: names.model },
      { policy: names.policy, model: names.model },
      { labels: { tier: long('tier'), [long('name')]: long('value') }, model: names.model },
    ]
    for (const filter of filters) {
      expect(listRequests(database, filter).total).toBe(2)
      expect(stats(database, filter).counts.total).toBe(2)
      expect(newRequests(database, { afterId: 0, filter }).data).toHaveLength(2)
    }
    expect(listRequests(database, { correlationId: long('id') }).data).toMatchObject([
      { tokens: { output: 7 } },
    ])
    const groups = stats(database, { groupBy: `label:${long('name')}` })['labels'] as object
    expect(Object.values(groups)).toMatchObject([{ counts: { total: 3 } }])
    expect(() => stats(database, { model: long('none') })).toThrow('not found')
  } finally {
    database.close()
  }
})
