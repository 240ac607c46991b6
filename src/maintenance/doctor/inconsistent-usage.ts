import { PARTS_OF_TOKENS, type Tokens } from '../../folds/sums/counted-values.js'
import { dialectOf } from '../../store/query-database.js'
import { INCONSISTENT_SQL } from '../../store/sqlite/sqlite-dialect.js'
import { countText } from '../count-text.js'
import type { JournalTables } from '../journal-tables.js'
import { type Finding, note, ok } from './check.js'

const EXAMPLES = 5

type UsageRow = { id: number; correlation_id: string } & { [Name in keyof Tokens]-?: number | null }

/** Requests with more tokens in a part than in the whole. */
export function checkUsage(tables: JournalTables): Finding {
  const count = tables.database
    .prepare<[], number | null>(
      `SELECT sum(inconsistent) FROM ${tables.from('rollup_totals')} WHERE grain = 'day' AND grouped_by = ''`,
    )
    .pluck()
    .get()
  if (!count) return ok('no part of the tokens is larger than the whole')
  const found = `${countText(count, 'request')} with more tokens in a part than in the whole`
  const advice =
    'They are kept as they were logged, and no price gives them a cost: check whether the gateway’s ' +
    'input_tokens and output_tokens count all tokens, including those that a provider reports separately, ' +
    'such as cached ones'
  return note(found, advice, newestExamples(tables).map(describe))
}

/**
 * Reads examples from the newest hours in which there are some, so that few other rows are read.
 */
function newestExamples(tables: JournalTables): UsageRow[] {
  const hours = tables.database
    .prepare<[], string>(
      `SELECT period FROM ${tables.from('rollup_totals')} WHERE grain = 'hour' AND grouped_by = '' AND inconsistent > 0
       ORDER BY period DESC LIMIT ${EXAMPLES}`,
    )
    .pluck()
    .all()
  const columns = [...new Set(PARTS_OF_TOKENS.flat())].join(', ')
  const { timestampIn } = dialectOf(tables.database)
  const rows: UsageRow[] = []
  for (const hour of hours) {
    const { sql, values } = timestampIn('timestamp', { from: hour, before: `${hour}\u{10ffff}` })
    const ofHour = tables.database.prepare<unknown[], UsageRow>(
      `SELECT id, correlation_id, ${columns} FROM ${tables.from('requests')}
       WHERE ${sql} AND (${INCONSISTENT_SQL}) ORDER BY timestamp LIMIT ?`,
    )
    rows.push(...ofHour.all(...values, EXAMPLES - rows.length))
    if (rows.length === EXAMPLES) break
  }
  return rows
}

function describe(row: UsageRow): string {
  const parts = PARTS_OF_TOKENS.flatMap(([part, ...wholes]) => {
    const whole = wholes.find((name) => row[name] !== null)
    const isMore = whole !== undefined && Number(row[part] ?? 0) > Number(row[whole])
    return isMore ? [`${part} ${row[part]} of ${whole} ${row[whole]}`] : []
  })
  return `row ${row.id} (${row.correlation_id}): ${parts.join(', ')}`
}
