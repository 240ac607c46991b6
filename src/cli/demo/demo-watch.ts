import { type Database, openDatabaseReadOnly } from '../../store/sqlite/connection/database.js'
import { DatabaseError } from '../../store/sqlite/connection/errors.js'
import { readPositions } from '../../store/sqlite/segment-queries.js'

/** Counts what another process has projected, and how long each line took to become visible. */
export class ProjectionWatch {
  readonly #databasePath: string
  readonly #countAppended: () => number
  /** When each event was appended at the earliest: at the poll before it was seen. */
  readonly #appendedAt: number[] = []
  #polledAt = performance.now()
  readonly #latenciesMs: number[] = []
  #database: Database | null = null
  #isFirstPoll = true
  projected = 0

  /** @param countAppended says how many events have been appended. */
  constructor(databasePath: string, countAppended: () => number) {
    this.#databasePath = databasePath
    this.#countAppended = countAppended
  }

  /** How many events had been appended at the last poll. */
  get appended(): number {
    return this.#appendedAt.length
  }

  poll(): void {
    const appended = this.#countAppended()
    while (this.#appendedAt.length < appended) this.#appendedAt.push(this.#polledAt)
    this.#polledAt = performance.now()
    this.#database ??= this.#open()
    if (this.#database === null) return
    const projected = readPositions(this.#database).reduce((sum, { counts }) => sum + counts.lines, 0)
    if (projected === this.projected) return
    const now = performance.now()
    // For lines that the projector found when it started, this would be the time it took to start.
    const newlyVisible = this.#isFirstPoll ? [] : this.#appendedAt.slice(this.projected, projected)
    for (const appendedAt of newlyVisible) this.#latenciesMs.push(now - appendedAt)
    this.#isFirstPoll = false
    this.projected = projected
  }

  /** The latency below which this share of the events stayed; null if none was measured. */
  latencyMs(share: number): number | null {
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null
  }

  close(): void {
    this.#database?.close()
    this.#database = null
  }

  #open(): Database | null {
    try {
      return openDatabaseReadOnly(this.#databasePath)
    } catch (error) {
      // The projector hasn't made the database yet.
      if (error instanceof DatabaseError) return null
      throw error
    }
  }
}
