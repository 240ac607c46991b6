import type { QueryDatabase, QueryStatement } from '../../store/query-database.js'

/**
 * Returns a function that prepares each SQL text once: a question about many days or hours runs the
 * same text many times. All users of one text must set the same modes (`raw`, `pluck`,
 * `safeIntegers`) on its statement.
 */
export function preparingOnce(database: QueryDatabase): (sql: string) => QueryStatement {
  const prepared = new Map<string, QueryStatement>()
  return (sql) => {
    const statement = prepared.get(sql) ?? database.prepare(sql)
    prepared.set(sql, statement)
    return statement
  }
}
