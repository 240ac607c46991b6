import { join } from 'node:path'
import { type Clock, errorCode, type FileSystem, syncDirectory } from '../files.js'
import { createFile } from '../new-file.js'
import { distrustMarker, type SegmentName } from '../segments.js'

interface DistrustOptions {
  fs: FileSystem
  clock: Clock
  directory: string
  fileMode: number
}

/** Marks a segment whose sync failed, durably, so that the mark outlives the power cut that may follow. */
export function markDistrusted(
  { fs, clock, directory, fileMode }: DistrustOptions,
  segment: SegmentName,
  reason: string,
): void {
  let fd: number
  try {
    fd = createFile(fs, join(directory, distrustMarker(segment)), { mode: fileMode })
  } catch (error) {
    // Another writer has marked it.
    if (errorCode(error) === 'EEXIST') return
    throw error
  }
  try {
    fs.writeSync(fd, `${JSON.stringify({ at: new Date(clock.now()).toISOString(), error: reason })}\n`)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  syncDirectory(fs, directory)
}
