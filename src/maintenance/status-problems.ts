import type { Stats } from 'node:fs'
import { dirname } from 'node:path'
import { judgeArchive } from '../journal/chain/archive-check.js'
import { lastEntries, type Manifest } from '../journal/chain/manifest.js'
import { FULL_DISK_BYTES, freeBytes } from '../journal/file-system.js'
import { isFarAhead, type Segment } from '../journal/segments.js'
import type { MissingSegment } from '../projection/segments/missing-segments.js'
import type { SegmentPosition } from '../store/positions.js'

/** What is known about a segment that exists. */
export interface SegmentState {
  segment: Segment
  stats: Stats
  position: SegmentPosition | undefined
  lagBytes: number
  /** The database says that it was pruned, but its file is still there. */
  isPruned: boolean
}

/** Returns one sentence for each problem of a segment that exists. */
export function segmentProblems({ segment, stats, position, isPruned }: SegmentState): string[] {
  const { name } = segment
  if (!stats.isFile()) return [`${name} isn't a regular file, so nothing of it is read: move it away`]
  const problems: string[] = []
  if (segment.isDistrusted) {
    const found = `${name} is distrusted: a sync of it failed, so what it holds may not be what was written`
    problems.push(`${found}; see ${name}.distrusted, and remove that file once you have checked`)
  }
  if (isFarAhead(segment, Date.now())) {
    const found = `${name} is dated in the future, and writers append to it until its day is over`
    problems.push(`${found}: correct the clock, then run \`request-journal redate\``)
  }
  if (isPruned) problems.push(`${name} was pruned, but is still there: run \`request-journal prune\` again`)
  const projected = position?.projectedBytes ?? 0
  if (segment.state === 'plain' && stats.size < projected) {
    problems.push(`${name} has ${stats.size} bytes, but ${projected} were projected: it was truncated`)
  }
  return problems
}

export function nearMissProblem(file: string): string {
  const names = '2026-11-20.ndjson or 2026-11-20_001.ndjson'
  return `${file} isn't the name of a segment, so its lines aren't read: uncompress it if need be, rename it (${names}), or move it away`
}

/** @param databasePath null if nothing is waiting to be written to the database's disk. */
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

export function missingProblem({ name, isTruncated, reason }: MissingSegment): string {
  return isTruncated ? `${name} was truncated: ${reason}` : `${name} is gone, and ${reason}`
}

/**
 * Names archives that don't hold what was recorded. Reads only those whose size isn't the recorded
 * one, each version once.
 */
export async function alteredArchives(
  directory: string,
  segments: readonly SegmentState[],
  manifest: Manifest,
): Promise<string[]> {
  const problems: string[] = []
  const archived = lastEntries(manifest, 'archived')
  for (const { segment, isPruned, stats } of segments) {
    const entry = archived.get(segment.name)
    const isJudged = segment.state === 'archived' && !isPruned && stats.isFile()
    if (entry === undefined || !isJudged) continue
    if ((await judgeArchive(directory, segment, entry)) === 'altered') {
      problems.push(`${segment.name}.gz doesn't hold what was archived: restore the right one from a backup`)
    }
  }
  return problems
}
