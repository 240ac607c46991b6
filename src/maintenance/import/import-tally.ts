import type { RequestLogged } from '../../events/event-types.js'
import { AmountSums, type Amounts } from './import-totals.js'
import type { ImportedLines } from './imported-lines.js'
import type { Known } from './known-requests.js'

/** How many rejected rows are kept one by one. */
const NAMED_ROWS = 100
/** There are too many rejected rows if they exceed both this number and this share. */
const TOLERATED_ROWS = 10
const TOLERATED_SHARE = 0.1
/** How many requests are shown. */
const SHOWN_REQUESTS = 10

/** Counts what rows become. */
export class ImportTally {
  /** The counts by the names that they have in the result. */
  readonly counts = {
    rows: 0,
    requests: 0,
    event_count: 0,
    already_there: 0,
    already_there_differing: 0,
    repeated: 0,
    repeated_differing: 0,
    rejected: 0,
  }
  leftOut = 0
  /** The first rejected rows. */
  readonly rejections: { line: number; reason: string }[] = []
  /** The first requests. */
  readonly shown: RequestLogged[] = []
  from: string | null = null
  to: string | null = null
  readonly sums = {
    imported: new AmountSums(),
    already_there: new AmountSums(),
    repeated: new AmountSums(),
    rejected: new AmountSums(),
  }

  /** Whether so many rows are rejected that the file or the options must be wrong. */
  get hasTooManyRejected(): boolean {
    const { rejected, rows } = this.counts
    return rejected > TOLERATED_ROWS && rejected > rows * TOLERATED_SHARE
  }

  refuse(line: number, reason: string, amounts: Amounts): void {
    this.counts.rejected++
    this.sums.rejected.add(amounts)
    if (this.rejections.length < NAMED_ROWS) this.rejections.push({ line, reason })
  }

  add({ request, lines }: ImportedLines): void {
    const { timestamp } = request
    this.counts.requests++
    this.counts.event_count += lines.length
    if (this.shown.length < SHOWN_REQUESTS) this.shown.push(request)
    if (this.from === null || timestamp < this.from) this.from = timestamp
    if (this.to === null || timestamp > this.to) this.to = timestamp
    this.sums.imported.add(request)
  }

  /** Counts a request that isn't added, since it is known. */
  addKnown({ request }: ImportedLines, { as, hasOtherCost }: Known): void {
    this.counts[as]++
    if (hasOtherCost) this.counts[`${as}_differing`]++
    this.sums[as].add(request)
  }
}
