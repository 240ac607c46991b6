import { safeIdentifier } from '../../events/value-kinds.js'
import { all } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { rollupLabels } from '../../store/sqlite/rollups/rollup-labels.js'
import { groupHint, QueryError } from '../errors.js'
import { namedJournals } from '../journals.js'
import { isInSums } from '../window/added-rows.js'
import { ignoringCase } from '../window/filter.js'

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 100

/** How many names of one day are read, those with the most requests. */
const MAX_OF_DAY = 1000
/** Days are read from the newest back, until this many names have been read. */
const MAX_NAMES = 5000
/** How many rows are read for a label by which no roll-ups are kept. */
const MAX_ROWS = 50_000

/** How many ranges of the index are searched for one day. */
const MAX_SPELLINGS = 50

const LABEL = 'label:'

/** A character that sorts after any other. */
const LAST = '\u{10ffff}'

export interface ListNamesOptions {
  /** `model`, `provider`, `policy`, `journal` or `label:<name>`. @default 'model' */
  dimension?: string | undefined
  /** The beginning of the names, in any ASCII case. @default '' */
  prefix?: string | undefined
  /** From 1 to 100. @default 20 */
  limit?: number | undefined
}

/** The body of `GET /v1/names`. */
export interface NameList {
  dimension: string
  /** The names with the most requests come first. */
  names: {
    name: string
    /** How many requests had it on the newest days, as far back as it takes to find 5,000 names. */
    requests: number
  }[]
  has_more: boolean
}

/**
 * Lists the models, providers, policies, journals or values of a label that begin with a prefix,
 * for a field that completes names.
 *
 * @throws QueryError INVALID_DIMENSION
 */
export function listNames(database: QueryDatabase, options: ListNamesOptions = {}): NameList {
  const { dimension: named = 'model', prefix: asked = '' } = options
  const limit = Math.min(MAX_LIMIT, Math.max(1, options.limit ?? DEFAULT_LIMIT))
  const prefix = asked.toWellFormed()
  if (!/^(model|provider|policy|journal|label:.+)$/s.test(named)) {
    const hint = groupHint(named, ['model', 'provider', 'policy', 'journal'])
    throw new QueryError(
      'INVALID_DIMENSION',
      `Invalid dimension '${named}'. Supported: model, provider, policy, journal, label:<name>${hint}`,
    )
  }
  const label = named.startsWith(LABEL) ? safeIdentifier(named.slice(LABEL.length)) : null
  const dimension = label === null ? named : LABEL + label
  const found = database.transaction(() => {
    if (dimension === 'journal') return namesOfJournals(database, prefix)
    if (label !== null && !rollupLabels(database).includes(label))
      return namesFromRows(database, label, prefix)
    const counts = new Map<string, number>()
    for (const [name, requests] of namesFromTotals(database, dimension, prefix)) {
      counts.set(name, (counts.get(name) ?? 0) + requests)
    }
    return counts
  })()
  const names = dimension === 'model' || dimension === 'provider' ? joinSpellings(found) : [...found]
  const sorted = names.sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1))
  return {
    dimension,
    names: sorted.slice(0, limit).map(([name, requests]) => ({ name, requests })),
    has_more: sorted.length > limit,
  }
}

/**
 * Reads names from the totals, day by day from the newest. The index keeps the short names of a day
 * in order, so only those with the prefix are read. The long names with the prefix are looked up
 * once, and then their totals day by day.
 */
function* namesFromTotals(
  database: QueryDatabase,
  dimension: string,
  prefix: string,
): Generator<[string, number]> {
  const dialect = dialectOf(database)
  const ofJournals = all(dialect.journalConditions()).sql
  const previousDay = database
    .prepare<[string, string], string | null>(
      `SELECT max(period) FROM rollup_totals
       WHERE ${ofJournals} AND grain = 'day' AND grouped_by = ? AND period < ?`,
    )
    .pluck()
  const name = dialect.inByteOrder('group_name')
  const ofDay = `FROM rollup_totals
    WHERE ${ofJournals} AND grain = 'day' AND grouped_by = ? AND period = ? AND ${name} >= ? AND ${name} < ?`
  const any = database.prepare<string[], number>(`SELECT 1 ${ofDay} LIMIT 1`)
  const most = database
    .prepare<unknown[], [string, number]>(
      `SELECT substr(group_name, 2), sum(requests) ${ofDay} AND ${dialect.beginsWith('substr(group_name, 2)')}
       GROUP BY group_name ORDER BY 2 DESC, ${name} LIMIT ${MAX_OF_DAY}`,
    )
    .raw()
  const longNames = totalsOfLongNames(database, dimension, prefix)
  let seen = 0
  for (let day = previousDay.get(dimension, LAST); day != null; day = previousDay.get(dimension, day)) {
    const within = (start: string) => [dimension, day as string, `=${start}`, `=${start}${LAST}`]
    for (const start of spellingsOf(prefix, (start) => any.get(...within(start)) !== undefined)) {
      const names = most.all(...within(start), [...prefix].length, prefix)
      yield* names
      seen += names.length
    }
    const names = longNames(day)
    yield* names
    seen += names.length
    if (seen >= MAX_NAMES) return
  }
}

/** Reads the long names of a day that begin with a prefix, those with most requests first. */
function totalsOfLongNames(
  database: QueryDatabase,
  dimension: string,
  prefix: string,
): (day: string) => [string, number][] {
  const dialect = dialectOf(database)
  const ofPrefix = `FROM rollup_names WHERE ${dialect.beginsWith('name')}`
  const values = [[...prefix].length, prefix]
  const keys = database
    .prepare<unknown[], string>(`SELECT DISTINCT key ${ofPrefix} LIMIT ${MAX_OF_DAY + 1}`)
    .pluck()
    .all(...values)
  if (keys.length === 0) return () => []
  // A few names are looked up by their keys. If there are many, all long names of the day are read.
  const isFew = keys.length <= MAX_OF_DAY
  const list = dialect.list(keys)
  const ofKeys = isFew
    ? { sql: `group_name IN ${list.sql}`, values: list.values }
    : { sql: `group_name >= '#' AND group_name < '$' AND ${dialect.beginsWith('name')}`, values }
  const statement = database
    .prepare<unknown[], [string, number]>(
      `SELECT name, sum(requests) FROM ${dialect.totalsWithNames}
       WHERE grain = 'day' AND grouped_by = ? AND period = ? AND ${ofKeys.sql}
       GROUP BY name ORDER BY 2 DESC, ${dialect.inByteOrder('name')} LIMIT ${MAX_OF_DAY}`,
    )
    .raw()
  return (day) => statement.all(dimension, day, ...ofKeys.values)
}

/**
 * Lists the spellings in upper and lower case with which names begin, for a prefix; if there are
 * too many, those of a shorter prefix.
 */
function spellingsOf(prefix: string, exists: (start: string) => boolean): string[] {
  let starts = ['']
  for (const character of prefix) {
    if (starts.length > MAX_SPELLINGS) return starts
    if (/[a-z]/i.test(character)) {
      const cases = [character.toLowerCase(), character.toUpperCase()]
      starts = starts.flatMap((start) => cases.map((next) => start + next)).filter(exists)
    } else starts = starts.map((start) => start + character)
  }
  return starts
}

/** Reads the names of journals, even without requests, and how many requests each has. */
function namesOfJournals(database: QueryDatabase, prefix: string): Map<string, number> {
  const dialect = dialectOf(database)
  const counts = database
    .prepare<[], [number, number]>(
      `SELECT ${dialect.journalColumn}, sum(requests) FROM rollup_totals
       WHERE grain = 'day' AND grouped_by = '' GROUP BY 1`,
    )
    .raw()
    .all()
  const requests = new Map(counts.map(([journal, count]) => [Number(journal), Number(count)]))
  const named = namedJournals(database).filter(({ name }) =>
    ignoringCase(name).startsWith(ignoringCase(prefix)),
  )
  return new Map(named.map(({ number, name }) => [name, requests.get(number) ?? 0]))
}

/** Reads the values of a label from the newest rows. */
function namesFromRows(database: QueryDatabase, label: string, prefix: string): Map<string, number> {
  const dialect = dialectOf(database)
  const { sql, values } = dialect.label(label)
  const names = database
    .prepare<unknown[], [string, number]>(
      `SELECT name, count(*)
       FROM (SELECT ${sql} AS name FROM requests WHERE ${isInSums(database).sql}
         ORDER BY ${dialect.newestFirst} LIMIT ${MAX_ROWS}) AS newest
       WHERE ${dialect.beginsWith('name')}
       GROUP BY name ORDER BY count(*) DESC LIMIT ${MAX_OF_DAY}`,
    )
    .raw()
    .all(...values, [...prefix].length, prefix)
  return new Map(names)
}

/** Joins spellings that differ only in ASCII case under the one with the most requests. */
function joinSpellings(counts: ReadonlyMap<string, number>): [string, number][] {
  const names = new Map<string, { spelling: string; most: number; sum: number }>()
  for (const [spelling, requests] of counts) {
    const folded = ignoringCase(spelling)
    const known = names.get(folded)
    if (known === undefined) names.set(folded, { spelling, most: requests, sum: requests })
    else {
      known.sum += requests
      const isMore = requests > known.most || (requests === known.most && spelling < known.spelling)
      if (isMore) Object.assign(known, { spelling, most: requests })
    }
  }
  return [...names.values()].map(({ spelling, sum }) => [spelling, sum])
}
