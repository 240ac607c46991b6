import type { Currency } from '../folds/costs/row-cost.js'
import type { Condition, TextRange } from './condition.js'
import type { QueryDatabase } from './query-database.js'

/** The SQL that isn't the same in SQLite and in PostgreSQL. A question is written once, with these. */
export interface Dialect {
  /** The columns of `RequestColumns`. */
  readonly storedColumns: string
  /** The columns by which a row is found; in their order, rows are in the order of their ids. */
  readonly rowKey: string
  /** Stands after a table whose rows are read in the order of their ids. */
  readonly unindexed: string
  /** `timestamp` in a condition for which another index than its own is better. */
  readonly unindexedTimestamp: string
  /** A number that is smaller than any cost. */
  readonly least: string
  /** Whether the sums count a row. */
  readonly isInSums: string
  /** Whether another program has added a row since the journal began; null: none can. */
  readonly isAdded: string | null
  /** See `isUnended`: term by term as the index of these rows has it. */
  readonly isUnended: string
  /** The order of rows by when they came; among those of many journals, nearly so. */
  readonly newestFirst: string
  /** Totals that have long names, together with these. */
  readonly totalsWithNames: string

  /**
   * The condition that lets the key of roll-ups, prices and other tables of journals be used; about
   * one journal if it is named by its id or its host.
   */
  ofJournals(journal?: string): Condition[]
  /** Whether a row of `journals` is named by an id or a host. */
  isJournal(name: string): Condition
  isTrue(column: string): string
  isFalse(column: string): string
  /** The sum of the rows that meet a condition. */
  count(condition: string): string
  /**
   * Two columns with a sum that a few absurd values would make overflow 64 bits: the first one
   * counts 2^32 times.
   */
  largeSum(expression: string): string
  /** A cost's whole units and its billionths; 0 for null. The same arithmetic as `splitCost`. */
  wholeCost(column: string): string
  costBillionths(column: string): string
  /** The whole units and billionths of a sum of costs that is stored. */
  storedWholeCost(currency: Currency, prefix?: '' | 'corrected_'): string
  storedCostBillionths(currency: Currency, prefix?: '' | 'corrected_'): string
  /** A counter, or the sum of counters, as an integer. */
  integer(column: string): string
  integerSum(column: string): string
  /** A number as it counts in sums; 0 for null. The same as `wholeNumber`. */
  wholeNumber(column: string, limit: number): string
  /** A text that is the same for texts that differ in ASCII case only. */
  folded(text: string): string
  /** A text that is put in the order of its bytes. */
  inByteOrder(text: string): string
  /** Whether a text is a parameter's, in any ASCII case. */
  isFolded(text: string): string
  /** A list for `IN`; with `isFolded`, of folded texts. */
  list(values: readonly (string | number)[], isFolded?: boolean): Condition
  /** The value of a label, of a row or of a roll-up's dimension; null without this label. */
  label(name: string): Condition
  /** Whether a column has a parameter's text in it, in any ASCII case. */
  contains(column: string): string
  /** Whether a text begins, in any ASCII case, with a parameter's; another one before is its length. */
  beginsWith(text: string): string
  /** The first characters of a timestamp. */
  beginning(timestamp: string, length: number): string
  /** Whether a timestamp lies in a range of texts. */
  timestampIn(column: string, range: TextRange): Condition
  /** Roll-ups or their latencies, together with their dimensions. */
  withDimensions(table: string): string
  /** Whether a row, or a line of its journal, has this id. */
  hasId(id: number): Condition
  /** Whether a row comes after another one in the order of ids. */
  isAfterId(id: number): Condition
  /** Whether a row is there already: rows that come later don't meet it. */
  isThereNow(database: QueryDatabase): Condition
  /** The number of the journal that the row with this id is from. */
  journalOf(id: number): number
  /** Whether a row is of a journal. */
  isOfJournal(journal: number): Condition[]
  /** Whether rows of two tables are of one journal. */
  isSameJournal(table: string, other: string): string
  /** Whether the tables are of many journals. */
  readonly isShared: boolean
  /** Whether rows are sorted to be grouped, which takes longer than in proportion to their number. */
  readonly sortsGroups: boolean
  /** A price's or a rate's columns: decimals are texts. */
  readonly priceColumns: string
  readonly rateColumns: string
  /** The statement that lists the journals: their numbers, ids and hosts. */
  readonly journals: string
  /** The column with the number of a row's journal. */
  readonly journal: string
}
