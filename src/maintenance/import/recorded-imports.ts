import { type ImportOrigin, lastEntries, type Manifest } from '../../journal/chain/manifest.js'

/** A segment that an import has made, as the manifest tells of it. */
export interface RecordedPart {
  segment: string
  origin: ImportOrigin
  /** When it was imported, UTC. */
  at: string
  /** How many events it has. */
  lines: number
}

/** The segments of imports that the manifest has, pruned ones too. */
export function recordedParts(manifest: Manifest): RecordedPart[] {
  const archived = lastEntries(manifest, 'archived')
  return [...lastEntries(manifest, 'sealed').values()].flatMap(({ segment, import: origin, at, lines }) =>
    origin === undefined || !archived.has(segment) ? [] : [{ segment, origin, at, lines }],
  )
}
