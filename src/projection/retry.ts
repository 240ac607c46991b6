const MIN_DELAY_MS = 100
const MAX_DELAY_MS = 10_000

/** Database errors that pass: another process holds it, the disk is full or refuses, the file is read-only for now. */
const PASSING = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN|NOMEM|PROTOCOL)/

/** True when waiting can help: rows and position have rolled back together, and the journal goes on without us. */
export function isPassing(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && PASSING.test(code)
}

/** The delay before attempt number `failures` + 1: doubling from 100 ms to 10 s. */
export function retryDelay(failures: number): number {
  return Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** (failures - 1))
}
