import { resolve } from 'node:path'
import { grouped } from '../../folds/grouped.js'
import { readManifest } from '../../journal/chain/manifest.js'
import { readIdentity } from '../../journal/journal-identity.js'
import { listSegments } from '../../journal/segments.js'
import { type RecordedPart, recordedParts } from './recorded-imports.js'

/** An import that is in a journal. */
export interface JournalImport {
  import_id: string
  /** When it was made, UTC. */
  imported_at: string
  /** The name of the file that was read; null: it wasn't recorded. */
  file: string | null
  /** The options that the file was imported with. */
  options: string
  /** The first and the last timestamp. */
  from: string
  to: string
  /** Null: it wasn't recorded. */
  requests: number | null
  /** A stream has two. */
  event_count: number
  segments: string[]
  /** How many of the segments are gone: `prune` or somebody else has removed them. */
  segments_gone: number
}

/**
 * Lists what was imported into a journal, in the order of time, according to its manifest.
 *
 * @throws JournalError JOURNAL_MISSING, JOURNAL_INVALID, MANIFEST_UNREADABLE, SEGMENT_UNREADABLE
 */
export function listImports({ journal }: { journal: string }): JournalImport[] {
  const directory = resolve(journal)
  readIdentity(directory)
  const there = new Set(listSegments(directory).map(({ name }) => name))
  const imports = grouped(recordedParts(readManifest(directory)), ({ origin }) => origin.id)
  return [...imports.values()].map((parts) => summary(parts, there))
}

function summary(parts: readonly RecordedPart[], there: ReadonlySet<string>): JournalImport {
  const [head] = parts
  if (head === undefined) throw new Error('unreachable: an import has a part')
  const { id, file = null, options } = head.origin
  const segments = parts.map(({ segment }) => segment)
  const [from = head.origin.first] = parts.map(({ origin }) => origin.first).sort()
  const requests = parts.reduce((sum, { origin }) => sum + (origin.requests ?? Number.NaN), 0)
  return {
    import_id: id,
    imported_at: head.at,
    file,
    options,
    from,
    to:
      parts
        .map(({ origin }) => origin.last)
        .sort()
        .at(-1) ?? head.origin.last,
    requests: Number.isNaN(requests) ? null : requests,
    event_count: parts.reduce((sum, { lines }) => sum + lines, 0),
    segments,
    segments_gone: segments.filter((segment) => !there.has(segment)).length,
  }
}
