import { statSync } from 'node:fs'
import { join } from 'node:path'
import { archiveFile, importsUnderWay, type Segment } from '../../journal/segments.js'

/** Nobody waits longer than this for an import that was killed. */
const LONGEST_WAIT_MS = 10_000

interface KnownArchives {
  /** Whether lines of a segment have been projected. */
  isProjected(segment: Segment): boolean
  /** Whether the manifest says that a segment is archived. */
  isRecorded(segment: Segment): boolean
}

/**
 * Returns the segments before the first one that an import is adding right now. That segment
 * appears as an archive while writers that haven't looked since may still append to the segment
 * before it. The importer records it in the manifest only after every writer has certainly looked
 * again. If it were read before that, the lines of those writers would be late.
 */
export function segmentsBeforeNewImport(
  directory: string,
  segments: readonly Segment[],
  { isProjected, isRecorded }: KnownArchives,
): readonly Segment[] {
  const first = segments.findIndex(
    (segment) =>
      segment.state === 'archived' &&
      !isProjected(segment) &&
      !isRecorded(segment) &&
      isNew(directory, segment) &&
      importsUnderWay(directory).staged.length > 0,
  )
  return first === -1 ? segments : segments.slice(0, first)
}

function isNew(directory: string, segment: Segment): boolean {
  const stats = statSync(join(directory, archiveFile(segment)), { throwIfNoEntry: false })
  if (stats === undefined) return false
  // A clock that was set back must not make anybody wait for long.
  const ageMs = Date.now() - stats.ctimeMs
  return ageMs >= 0 && ageMs < LONGEST_WAIT_MS
}
