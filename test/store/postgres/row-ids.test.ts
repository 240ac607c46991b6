import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openJournal } from '../../../src/journal/append/journal.js'
import { projectOnce } from '../../../src/projection/index.js'
import { ask } from '../../support/fleet-checker.js'
import { requestLine } from '../../support/lines.js'
import { newSchema } from '../../support/new-schema.js'
import { noPostgres } from '../../support/postgres.js'

test.skipIf(noPostgres !== null)(
  'a journal that has used up its ids is refused before its rows take those of the next journal',
  async () => {
    const { database, schema } = await newSchema('ids')
    const journal = mkdtempSync(join(tmpdir(), 'request-journal-ids-'))
    await openJournal({ directory: journal }).close()
    const append = (id: string) => appendFileSync(join(journal, '2026-11-22.ndjson'), `${requestLine(id)}\n`)
    const project = () => projectOnce({ journal, database, schema })
    const rows = () =>
      ask(
        database,
        `SELECT correlation_id AS id, floor(id / 2 ^ 36)::int - journal AS off FROM ${schema}.requests ORDER BY id`,
      )

    append('first')
    await project()
    await ask(database, `UPDATE ${schema}.journals SET next_ordinal = 2 ^ 36 - 1`)
    append('last')
    await project()
    append('too-many')
    await expect(project()).rejects.toMatchObject({ code: 'ROW_IDS_EXHAUSTED' })
    expect(await rows()).toEqual([
      { id: 'first', off: 0 },
      { id: 'last', off: 0 },
    ])
    rmSync(journal, { recursive: true })
  },
)
