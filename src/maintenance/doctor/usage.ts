import { PARTS_OF_TOKENS, type Tokens } from '../../folds/sums/token-parts.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import { INCONSISTENT_SQL } from '../../store/sqlite/sql-expressions.js'
import { countText } from '../count-text.js'
import { type Finding, note, ok } from './check.js'

/** How many examples are named. */
const EXAMPLES = 5

type UsageRow = { id: number; correlation_id: string } & { [Name in keyof Tokens]-?: number | null }

/** Requests with more tokens in a part than in the whole. */
export function checkUsage(database: Database): Finding {
  const count = database
    .prepare<[], number | null>(
      "SELECT sum(inconsistent) FROM rollup_totals WHERE grain = 'day' AND grouped_by = ''",
    )
    .pluck()
    .get()
  if (!count) return ok('no part of the tokens is larger than the whole')
  const found = `${countText(count, 'request')} with more tokens in a part than in the whole`
  const advice =
    'They are kept as they were logged, and no price gives them a cost: look whether the gateway’s input_tokens and output_tokens count all tokens, also those that a provider tells apart, such as cached ones'
  return note(found, advice, newestExamples(database).map(describe))
}

/** Reads examples from the newest hours that have some, so that few other rows are read. */
function newestExamples(database: Database): UsageRow[] {
  const hours = database
    .prepare<[], string>(
      `SELECT period FROM rollup_totals WHERE grain = 'hour' AND grouped_by = '' AND inconsistent > 0
       ORDER BY period DESC LIMIT ${EXAMPLES}`,
    )
    .pluck()
    .all()
  const columns = [...new Set(PARTS_OF_TOKENS.flat())].join(', ')
  const ofHour = database.prepare<[string, string, number], UsageRow>(
    `SELECT id, correlation_id, ${columns} FROM requests
     WHERE timestamp >= ? AND timestamp < ? || char(1114111) AND (${INCONSISTENT_SQL})
     ORDER BY timestamp LIMIT ?`,
  )
  const rows: UsageRow[] = []
  for (const hour of hours) {
    rows.push(...ofHour.all(hour, hour, EXAMPLES - rows.length))
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
