import { randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers'
import { watch } from 'chokidar'
import { errorCode, reasonOf } from '../../journal/file-system.js'
import { type Finding, note, ok, problem } from './check.js'

const PATIENCE_MS = 1000

/**
 * Whether a write in this directory wakes a projector: writes a probe file, waits for the watcher's
 * event, and removes the file. Any event counts, even one that a gateway causes at the same time.
 */
export async function checkWatcher(directory: string): Promise<Finding> {
  const startedAt = performance.now()
  const path = join(directory, `.doctor-${process.pid}-${randomUUID()}.tmp`)
  let isWritten = false
  try {
    const outcome = await probe(directory, () => {
      // Fails if somebody has prepared a file or a link with this name.
      writeFileSync(path, '\n', { flag: 'wx', mode: 0o600 })
      isWritten = true
    })
    if (outcome === 'event') return ok(`works here (${Math.round(performance.now() - startedAt)} ms)`)
    if (outcome === 'silence') {
      const advice =
        'Nothing is lost: the projector also checks once a second, so rows appear up to a second late'
      return note(`no event within ${PATIENCE_MS} ms: the projector relies on its timer here`, advice)
    }
    const advice =
      'The projector checks once a second instead. If it is ENOSPC or EMFILE, raise ' +
      'fs.inotify.max_user_watches and max_user_instances'
    return note(`failed: ${outcome.message}`, advice)
  } catch (error) {
    if (errorCode(error) === 'EROFS') {
      const found =
        'the journal is on a read-only mount: gateways keep their events in memory, and lose them when it is full'
      const advice = 'Mount it writable (dmesg says whether the kernel made it read-only after an error)'
      return problem(found, advice)
    }
    const advice =
      'A projector needs only to read; to test its watcher, run doctor as a user who may write there'
    return note(`can't be tested, no probe file can be written: ${reasonOf(error)}`, advice)
  } finally {
    if (isWritten) rmSync(path, { force: true })
  }
}

async function probe(directory: string, write: () => void): Promise<'event' | 'silence' | Error> {
  // These are the projector's own options.
  const watcher = watch(directory, { ignoreInitial: true, depth: 0, ignored: (path) => path !== directory })
  try {
    return await new Promise((resolve, reject) => {
      setTimeout(() => resolve('silence'), PATIENCE_MS)
      watcher.on('error', (error) => resolve(error instanceof Error ? error : new Error(String(error))))
      watcher.on('all', () => resolve('event'))
      watcher.on('raw', () => resolve('event'))
      watcher.on('ready', () => {
        try {
          write()
        } catch (error) {
          reject(error)
        }
      })
    })
  } finally {
    await watcher.close()
  }
}
