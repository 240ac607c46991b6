import { type Database, openDatabaseReadOnly } from '../../store/sqlite/connection/database.js'
import { DatabaseError } from '../../store/sqlite/connection/errors.js'
import { readPositions } from '../../store/sqlite/positions.js'

/** Counts the lines that another process has projected, and how long each took to become visible. */
export class ProjectionWatch {
  readonly #path: string
  readonly #appendedAt: readonly number[]
  readonly #latenciesMs: number[] = []
  #database: Database | null = null
  #projected = 0
  #isFirstLook = true

  /** @param appendedAt when each line was appended, of `performance.now()`; the caller adds to it. */
  constructor(path: string, appendedAt: readonly number[]) {
    this.#path = path
    this.#appendedAt = appendedAt
  }

  get projected(): number {
    return this.#projected
  }

  look(): void {
    this.#database ??= this.#open()
    if (this.#database === null) return
    const projected = readPositions(this.#database).reduce((sum, { counts }) => sum + counts.lines, 0)
    if (projected === this.#projected) return
    const now = performance.now()
    // What the projector found when it started says how long it took to start.
    const newlyVisible = this.#isFirstLook ? [] : this.#appendedAt.slice(this.#projected, projected)
    for (const appendedAt of newlyVisible) this.#latenciesMs.push(now - appendedAt)
    this.#isFirstLook = false
    this.#projected = projected
  }

  /** The latency that this share of the events stayed below; null when none was measured. */
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
      return openDatabaseReadOnly(this.#path)
    } catch (error) {
      // The projector is about to make it.
      if (error instanceof DatabaseError) return null
      throw error
    }
  }
}
