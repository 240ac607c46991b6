import { statSync } from 'node:fs'
import { join } from 'node:path'
import { judgeArchive } from '../../journal/chain/archive-check.js'
import { lastEntries, readManifest } from '../../journal/chain/manifest.js'
import { reasonOf } from '../../journal/file-system.js'
import { archiveFile, type Segment } from '../../journal/segments.js'
import { isTransient } from '../../projection/transient-errors.js'
import { countText } from '../count-text.js'
import { type Finding, note, ok, problem } from './check.js'

/**
 * How many compressed bytes are hashed and compared, the newest first; `verify` reads everything.
 */
const HASHED_BYTES = 256 * 1024 * 1024

/** Whether each archive is the one that the manifest recorded, or at least holds the same lines. */
export async function checkArchives(directory: string, segments: readonly Segment[]): Promise<Finding> {
  const entries = lastEntries(readManifest(directory), 'archived')
  const archives = segments.filter(({ state }) => state === 'archived').reverse()
  const altered: string[] = []
  const recompressed: string[] = []
  let bytes = 0
  let unread = 0
  for (const segment of archives) {
    const entry = entries.get(segment.name)
    const file = archiveFile(segment)
    try {
      bytes += statSync(join(directory, file)).size
      const isHashed = bytes <= HASHED_BYTES
      if (!isHashed || entry === undefined) unread++
      const verdict = entry === undefined ? null : await judgeArchive(directory, segment, entry, isHashed)
      if (verdict === 'altered') altered.push(`${file}: not what was archived`)
      if (verdict === 'recompressed') recompressed.push(file)
    } catch (error) {
      // segment_files reports it.
      if (isTransient(error)) unread++
      else altered.push(`${file}: ${reasonOf(error)}`)
    }
  }
  const rest = unread === 0 ? '' : `; ${countText(unread, 'archive')} not read (verify reads all)`
  if (altered.length > 0) {
    const advice = 'Replay and verify stop at these. Restore the right ones from a backup'
    return problem(`${countText(altered.length, 'archive')} altered${rest}`, advice, altered)
  }
  if (recompressed.length > 0) {
    const found = `${countText(recompressed.length, 'archive')} compressed again by somebody: the lines are those that were archived${rest}`
    return note(found, null, recompressed)
  }
  return ok(archives.length === 0 ? 'none' : `${countText(archives.length, 'archive')} as recorded${rest}`)
}
