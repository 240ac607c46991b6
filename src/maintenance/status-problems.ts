import { dirname } from 'node:path'
import { judgeArchive } from '../journal/chain/archive-check.js'
import { lastEntries, type Manifest } from '../journal/chain/manifest.js'
import { FULL_DISK_BYTES, freeBytes } from '../journal/files.js'
import { isFarAhead } from '../journal/segments.js'
import type { MissingSegment } from '../projection/segments/missing-segments.js'
import type { SegmentState } from './status.js'

/** What needs a look about a segment that is there, a sentence each. */
export function segmentProblems({ segment, stats, position, isPruned }: SegmentState): string[] {
  const problems: string[] = []
  const { name } = segment
  if (!stats.isFile()) {
    problems.push(`${name} isn't a regular file, so nothing of it is read: move it away`)
    return problems
  }
  if (segment.isDistrusted) {
    const found = `${name} is distrusted: a sync of it failed, so what it holds may not be what was written`
    problems.push(`${found}; see ${name}.distrusted, and remove that once you have looked`)
  }
  if (isFarAhead(segment, Date.now())) {
    const found = `${name} is dated in the future, and writers append to it until its day is over`
    problems.push(`${found}: correct the clock, then run \`request-journal redate\``)
  }
  if (isPruned) problems.push(`${name} was pruned, but is still there: run \`request-journal prune\` again`)
  const projected = position?.projectedBytes ?? 0
  if (!segment.isArchived && stats.size < projected) {
    problems.push(`${name} has ${stats.size} bytes, but ${projected} were projected: it was truncated`)
  }
  return problems
}

export function nearMissProblem(file: string): string {
  const names = '2026-11-20.ndjson or 2026-11-20_001.ndjson'
  return `${file} isn't the name of a segment, so its lines are not read: rename it (${names}), or move it away`
}

/** @param databasePath null where nothing waits for the database's disk. */
export function diskProblems(journal: string, databasePath: string | null): string[] {
  const problems: string[] = []
  const isFull = (directory: string) => (freeBytes(directory) ?? FULL_DISK_BYTES) < FULL_DISK_BYTES
  if (isFull(journal)) {
    const what = 'writers keep events in memory only, and drop them when that is full'
    problems.push(`the disk of ${journal} is full: ${what}; make room there`)
  }
  if (databasePath !== null && isFull(dirname(databasePath))) {
    problems.push(`the disk of ${dirname(databasePath)} is full: nothing new is projected; make room there`)
  }
  return problems
}

export function missingProblem({ name, isTruncated, found }: MissingSegment): string {
  return isTruncated ? `${name} was truncated: ${found}` : `${name} is gone, and ${found}`
}

/** Archives that don't hold what was recorded. Only one whose size isn't the recorded one is read, once for each version. */
export async function alteredArchives(
  directory: string,
  segments: readonly SegmentState[],
  manifest: Manifest,
): Promise<string[]> {
  const problems: string[] = []
  const archived = lastEntries(manifest, 'archived')
  for (const { segment, isPruned, stats } of segments) {
    const entry = archived.get(segment.name)
    const isJudged = segment.isArchived && !segment.isLeaving && !isPruned && stats.isFile()
    if (entry === undefined || !isJudged) continue
    if ((await judgeArchive(directory, segment, entry)) === 'altered') {
      problems.push(
        `${segment.name}.gz does not hold what was archived: bring the right one back from a backup`,
      )
    }
  }
  return problems
}
