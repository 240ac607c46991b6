import { expect } from 'vitest'
import { projectOnce } from '../../../src/projection/index.js'
import { ask } from '../../support/fleet-checker.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { newSchema } from '../../support/new-schema.js'
import { noPostgres } from '../../support/postgres.js'
import { test } from '../../support/workspace.js'

test.skipIf(noPostgres !== null)(
  `completions read only the requests that they change, though the server knows nothing of new tables yet${noPostgres === null ? '' : ` (${noPostgres})`}`,
  async ({ workspace }) => {
    const { journal } = workspace
    const { database: address, schema } = await newSchema('reads')
    const count = 4000
    const streams = Array.from({ length: count }, (_, index) => {
      const events = [requestLine(`stream-${index}`, { streaming: true, model: `model-${index % 20}` })]
      // Completions come later, as they do when many streams are open.
      if (index >= 50) events.push(completionLine(`stream-${index - 50}`, { output_tokens: index }))
      return events
    })
    writeSegment(journal, lines(...streams.flat()))
    await projectOnce({ journal, database: address, schema })
    // Sessions report what they have read when they end, or a moment later.
    const read = async (): Promise<number> => {
      const [row] = await ask(
        address,
        `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_all_tables WHERE schemaname = '${schema}')
           + (SELECT sum(idx_tup_read) FROM pg_stat_all_indexes WHERE schemaname = '${schema}') AS reads`,
      )
      return Number(row?.['reads'])
    }
    await expect.poll(read, { timeout: 20_000 }).toBeGreaterThan(count)
    expect(await read()).toBeLessThan(100 * count)
  },
)
