import { randomUUID } from 'node:crypto'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers'
import { watch } from 'chokidar'
import { errorCode } from '../../journal/files.js'
import { type DoctorCheck, note, ok, problem } from './check.js'

const PATIENCE_MS = 1000

/**
 * Does a write in this directory wake a projector? Writes a probe file, waits for the watcher's event, and removes it.
 * Any event will do, also one that a gateway causes meanwhile.
 */
export async function checkWatcher(directory: string): Promise<DoctorCheck> {
  const startedAt = performance.now()
  let path = ''
  try {
    const outcome = await probe(directory, () => {
      path = createProbe(directory)
    })
    if (outcome === 'event')
      return ok('watcher', `works here (${Math.round(performance.now() - startedAt)} ms)`)
    if (outcome === 'silence') {
      const advice =
        'Nothing is lost: the projector looks by itself once a second, so rows come up to a second late'
      return note('watcher', `no event within ${PATIENCE_MS} ms: timers carry the projector here`, advice)
    }
    const advice =
      'The projector looks once a second instead. With ENOSPC or EMFILE: raise fs.inotify.max_user_watches and max_user_instances'
    return note('watcher', `failed: ${outcome.message}`, advice)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (errorCode(error) === 'EROFS') {
      const found =
        'the journal is on a read-only mount: gateways keep their events in memory, and lose them when it is full'
      return problem(
        'watcher',
        found,
        'Mount it writable (dmesg says whether the kernel has made it read-only after an error)',
      )
    }
    const advice =
      'A projector that may only read is fine; run doctor as a user who may write there to test it'
    return note('watcher', `could not be tested, no probe file can be written: ${reason}`, advice)
  } finally {
    if (path !== '') rmSync(path, { force: true })
  }
}

async function probe(directory: string, write: () => void): Promise<'event' | 'silence' | Error> {
  // As the projector does.
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

/** Under a name that nobody can have prepared, and never through a link. */
function createProbe(directory: string): string {
  const path = join(directory, `.doctor-${process.pid}-${randomUUID()}.tmp`)
  const fd = openSync(path, 'wx', 0o600)
  try {
    writeSync(fd, '\n')
  } finally {
    closeSync(fd)
  }
  return path
}
