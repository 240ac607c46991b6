import { type ImportOrigin, lastEntries, type Manifest } from '../../journal/chain/manifest.js'

/** A segment that an import has made, as the manifest has it. */
export interface RecordedPart {
  segment: string
  origin: ImportOrigin
  /** When it was imported, UTC. */
  at: string
  /** How many events it has. */
  lines: number
  /** Whether `prune` has taken it. */
  isPruned: boolean
}

/**
 * The segments of imports in the manifest, including those that were pruned or are gone. If an
 * import was taken out and made again, they are the new ones.
 */
export function recordedParts(manifest: Manifest): RecordedPart[] {
  const archived = lastEntries(manifest, 'archived')
  const pruned = lastEntries(manifest, 'pruned')
  const imports = new Map<string, Map<number, RecordedPart>>()
  for (const { segment, import: origin, at, lines } of lastEntries(manifest, 'sealed').values()) {
    if (origin === undefined || !archived.has(segment)) continue
    let parts = imports.get(origin.id)
    if (parts === undefined || parts.has(origin.part)) {
      parts = new Map()
      imports.set(origin.id, parts)
    }
    parts.set(origin.part, { segment, origin, at, lines, isPruned: pruned.has(segment) })
  }
  return [...imports.values()].flatMap((parts) => [...parts.values()])
}
