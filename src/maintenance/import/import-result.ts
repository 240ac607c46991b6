import type { RequestLogged } from '../../events/event-types.js'
import type { ImportNote } from './import-notes.js'
import type { ImportTotals } from './import-totals.js'

/** What `import` prints with `--json`. */
export interface ImportResult {
  dry_run: boolean
  /** Null with `dryRun`. */
  journal_id: string | null
  /** A hash of the file and the options: the same for a second run. */
  import_id: string
  /** Whether the file was imported before, so that nothing was added. */
  already_imported: boolean
  /** The ids of imports that were interrupted, and that this run has finished. */
  finished: string[]
  /** How many rows were read; 0 if the file was imported before, unless rejected rows are kept. */
  rows: number
  requests: number
  /** How many events the requests became: a stream has two. */
  event_count: number
  /** Requests that aren't added again, since other imports have added them. */
  already_there: number
  /** How many of them have another cost than the request that is there, which stays as it is. */
  already_there_differing: number
  /** Requests that aren't added, since the file has them twice. */
  repeated: number
  /** How many of them have another cost than the first one, which was taken. */
  repeated_differing: number
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
  /** Oddities of requests that are imported all the same, and how often. */
  notes: ImportNote[]
  /** The first and the last timestamp. */
  from: string | null
  to: string | null
  totals: ImportTotals
  /** What the requests carry that were already there. */
  already_there_totals: ImportTotals
  /** What the requests carry that the file has again. */
  repeated_totals: ImportTotals
  /** What the rejected rows carry, as far as it can be read. */
  rejected_totals: ImportTotals
  /** The segments that hold the requests. */
  segments: string[]
  /** How many of these are gone: `prune` or somebody else has removed them. */
  segments_gone: number
  /** With `dryRun`, the first ten requests. */
  events: RequestLogged[]
}
