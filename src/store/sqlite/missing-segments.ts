import type { Database } from './connection/database.js'

/** Names of segments that are gone, and that somebody has told a projector or a replay to do without. */
export function acceptedMissing(database: Database): Set<string> {
  const rows = database.prepare<[], { name: string }>('SELECT name FROM missing_segments').all()
  return new Set(rows.map(({ name }) => name))
}

/** @param names those that are gone now: one that came back must not go unnoticed the next time. */
export function acceptMissing(database: Database, names: readonly string[]): void {
  const at = new Date().toISOString()
  const keep = database.prepare('INSERT OR IGNORE INTO missing_segments (name, accepted_at) VALUES (?, ?)')
  const forget = database.prepare('DELETE FROM missing_segments WHERE name = ?')
  const gone = new Set(names)
  for (const name of acceptedMissing(database)) if (!gone.has(name)) forget.run(name)
  for (const name of gone) keep.run(name, at)
}
