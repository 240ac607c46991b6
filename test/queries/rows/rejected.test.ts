import { expect } from 'vitest'
import { listRejected } from '../../../src/queries/rows/rejected.js'
import { test } from '../support.js'

test('the last in the journal first, at most the limit, with the total', ({ database }) => {
  database.exec(`
    INSERT INTO journal_segments (id, journal_id, name, inode)
      VALUES (20261121000, 'j', '2026-11-21.ndjson', '1'), (20261122000, 'j', '2026-11-22.ndjson', '2');
    INSERT INTO rejected_lines (segment_id, byte_offset, length, reason, detail, excerpt)
      VALUES (20261121000, 900, 5, 'not_json', 'd', 'e'), (20261122000, 0, 5, 'not_utf8', 'd', 'e'),
        (20261122000, 70, 5, 'not_json', 'd', 'e')`)
  const { total, rejected } = listRejected(database, { limit: 2 })
  expect(total).toBe(3)
  expect(rejected).toEqual([
    {
      segment: '2026-11-22.ndjson',
      byte_offset: 70,
      length: 5,
      reason: 'not_json',
      detail: 'd',
      excerpt: 'e',
    },
    {
      segment: '2026-11-22.ndjson',
      byte_offset: 0,
      length: 5,
      reason: 'not_utf8',
      detail: 'd',
      excerpt: 'e',
    },
  ])
})
