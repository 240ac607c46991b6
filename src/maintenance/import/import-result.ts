import type { RequestLogged } from '../../events/event-types.js'
import type { ImportTotals } from './import-tally.js'

/** What `import` prints with `--json`. */
export interface ImportResult {
  dry_run: boolean
  /** Null with `dryRun`. */
  journal_id: string | null
  /** What was read, and with which options: the same for the same file. */
  import_id: string
  /** Whether the file was imported before, so that nothing was added. */
  already_imported: boolean
  /** The ids of imports that were interrupted, and that this run has finished. */
  finished: string[]
  /** How many rows were read: none if the file was imported before, except for `rejected`. */
  rows: number
  requests: number
  /** How many events that makes: a stream has two. */
  event_count: number
  /** Requests that aren't added again, since other imports have brought them. */
  already_there: number
  /** Requests that aren't added, since the file has them twice. */
  repeated: number
  /** Rows that can't become requests. */
  rejected: number
  /** Whether so many are rejected that nothing is imported without `allowRejected`. */
  too_many_rejected: boolean
  /** Rows that aren't requests, such as spans of a trace. */
  left_out: number
  /** The first hundred of the rejected rows, with their lines in the file. */
  rejections: { line: number; reason: string }[]
  /** Times that the clocks of the zone showed twice: the first instant was taken. */
  ambiguous_times: number
  /** What is odd in requests that are taken all the same, and how often. */
  notes: { note: string; count: number }[]
  /** The first and the last timestamp. */
  from: string | null
  to: string | null
  totals: ImportTotals
  /** The segments that hold the requests. */
  segments: string[]
  /** How many of these aren't there any more: `prune` has taken them, or somebody else. */
  segments_gone: number
  /** With `dryRun`, the first ten requests. */
  events: RequestLogged[]
}
