import { countText, sizeText } from '../../count-text.js'
import type { JournalTables } from '../../journal-tables.js'
import { type Finding, note, ok } from '../check.js'

interface HeldSegment {
  name: string
  projected_bytes: number
  /** How many bytes are kept from the first on, without a gap. */
  held_bytes: number
}

/**
 * Whether PostgreSQL keeps the bytes of every projected segment, so that this host's journal could
 * be restored. Only their lengths are compared; `archive`, `prune` and `restore` compare the bytes.
 */
export function checkChunks(tables: JournalTables): Finding {
  const segments = tables.database
    .prepare<[], HeldSegment>(
      `SELECT name, projected_bytes, coalesce((
         SELECT sum(length) FROM (
           SELECT byte_offset, length, sum(length) OVER (ORDER BY byte_offset) - length AS expected
           FROM ${tables.from('journal_chunks')} WHERE segment_id = s.id) AS c
         WHERE byte_offset = expected), 0) AS held_bytes
       FROM ${tables.from('journal_segments', 's')} WHERE projected_bytes > 0 ORDER BY id`,
    )
    .all()
  const lacking = segments.filter(({ projected_bytes, held_bytes }) => held_bytes < projected_bytes)
  const bytes = segments.reduce((sum, { projected_bytes }) => sum + projected_bytes, 0)
  if (lacking.length === 0) {
    return ok(`all ${sizeText(bytes)} of ${countText(segments.length, 'segment')} are kept`)
  }
  const found = segments.every(({ held_bytes }) => held_bytes === 0)
    ? 'no bytes of the journal are kept: it is projected with --no-chunks'
    : `bytes of ${countText(lacking.length, 'segment')} aren't kept`
  const advice =
    'If this host loses its disk, they are lost, unless `ship` has sent them to an object store. ' +
    '`request-journal replay` without --no-chunks stores those that the host still has'
  const items = lacking.map((segment) => {
    return `${segment.name}: ${segment.held_bytes} of ${segment.projected_bytes} bytes`
  })
  return note(found, advice, items)
}
