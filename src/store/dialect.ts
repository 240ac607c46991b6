import type { Currency } from '../folds/costs/row-cost.js'
import type { Condition, TextRange } from './condition.js'
import type { QueryDatabase } from './query-database.js'

/** The SQL that isn't the same in SQLite and PostgreSQL. A question is written once, with this. */
export interface Dialect {
  /** The columns of `RequestColumns`. */
  readonly storedColumns: string
  /** The columns by which a row is found. Sorting by them puts rows in the order of their ids. */
  readonly rowKey: string
  /** What follows a table's name to have its rows read in the order of their ids. */
  readonly unindexed: string
  /** `timestamp`, in a condition for which an index other than its own is better. */
  readonly unindexedTimestamp: string
  /** A number that is smaller than any cost. */
  readonly least: string
  /** Whether the sums count a row. */
  readonly isInSums: string
  /** Whether another program has added a row since the journal began; null if none can. */
  readonly isAdded: string | null
  /** `isUnended` in SQL, written exactly as in the partial index, or the index wouldn't be used. */
  readonly isUnended: string
  /** The order that puts the newest rows first; across journals only approximately. */
  readonly newestFirst: string
  /** Totals that have long names, joined with these names. */
  readonly totalsWithNames: string

  /**
   * A condition on the journal; none if the tables hold only one. Where they hold many, the keys of
   * roll-ups, prices and other tables begin with the journal, and only a statement with this
   * condition can use them. If a journal is named, by its id or its host, only its rows meet it.
   */
  journalConditions(journal?: string): Condition[]
  /** Whether a row of `journalsQuery` has this id or this host. */
  hasJournalName(name: string): Condition
  isTrue(column: string): string
  isFalse(column: string): string
  /** The number of rows that meet a condition. */
  count(condition: string): string
  /**
   * A sum as two columns, the first of which is in units of 2^32, because a few absurd values would
   * make a sum in one column overflow 64 bits.
   */
  largeSum(expression: string): string
  /** A cost's whole units and its billionths; 0 for null. It is computed as in `splitCost`. */
  wholeCost(column: string): string
  costBillionths(column: string): string
  /** The whole units and billionths of a sum of costs that is stored. */
  storedWholeCost(currency: Currency, prefix?: '' | 'corrected_'): string
  storedCostBillionths(currency: Currency, prefix?: '' | 'corrected_'): string
  /** A counter, or the sum of counters, as an integer. */
  integer(column: string): string
  integerSum(column: string): string
  /** A number as it is counted in sums; 0 for null. It is computed as in `wholeNumber`. */
  wholeNumber(column: string, limit: number): string
  /** A string in such a form that strings which differ only in ASCII case are equal. */
  ignoringCase(text: string): string
  /** A string in a form that sorts by its bytes. */
  inByteOrder(text: string): string
  /** Whether a string equals a parameter, ignoring ASCII case. */
  equalsIgnoringCase(text: string): string
  /** A list for `IN`; with `ignoresCase`, for a string from `ignoringCase`. */
  list(values: readonly (string | number)[], ignoresCase?: boolean): Condition
  /** The value of a label of a row, or of a roll-up's dimension; null without this label. */
  label(name: string): Condition
  /** Whether a column contains the string in a parameter, ignoring ASCII case. */
  contains(column: string): string
  /**
   * Whether a string begins with another one, ignoring ASCII case. There are two parameters: the
   * length of the other string, then that string.
   */
  beginsWith(text: string): string
  /** The first characters of a timestamp. */
  beginning(timestamp: string, length: number): string
  /** Whether a timestamp lies in a range of strings. */
  timestampIn(column: string, range: TextRange): Condition
  /** Roll-ups or their latencies, together with their dimensions. */
  withDimensions(table: string): string
  /** Whether a row has this id. */
  hasId(id: number): Condition
  /** Whether a row comes after another one in the order of ids. */
  isAfterId(id: number): Condition
  /** Whether a row exists already. Rows that are added later don't meet this condition. */
  isThereNow(database: QueryDatabase): Condition
  /** The number of the journal that the row with this id is from. */
  journalNumberOf(id: number): number
  /**
   * The condition that a row belongs to the journal with this number; none in a database that can
   * hold only one journal.
   */
  isInJournal(journal: number): Condition[]
  /** Whether rows of two tables belong to the same journal. */
  isSameJournal(table: string, other: string): string
  /** Whether the tables hold many journals. */
  readonly isShared: boolean
  /** Whether rows are sorted to be grouped, so that the time grows faster than their number. */
  readonly sortsGroups: boolean
  /** The columns of a price or a rate, with decimals as strings. */
  readonly priceColumns: string
  readonly rateColumns: string
  /** The statement that lists the journals: their numbers, ids and hosts. */
  readonly journalsQuery: string
  /** The column with the number of a row's journal. */
  readonly journalColumn: string
}
