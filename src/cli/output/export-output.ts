import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CommandFailure } from '../run/failure.js'
import { stopOnSignal } from '../run/signals.js'
import { visible } from './terminal.js'

/** Where an export goes. */
export interface Output {
  /** Resolves when more may be written. */
  write(text: string): Promise<void>
  /** All of it was written. */
  finish(): void
  /** What was written and not finished is gone. */
  close(): void
  /** A signal asks to end before all is written, and has said with which exit code. */
  readonly isStopped: boolean
}

export function standardOutput(): Output {
  const { stdout } = process
  // A terminal gets no control characters; a file or a program gets every byte as it is.
  const shown = stdout.isTTY
    ? (text: string) => text.split('\n').map(visible).join('\n')
    : (text: string) => text
  return {
    async write(text) {
      if (!stdout.write(shown(text))) await once(stdout, 'drain')
    },
    finish() {},
    close() {},
    isStopped: false,
  }
}

/**
 * A file that must be new, or something that is no file, such as a pipe.
 *
 * @throws CommandFailure where there is a file.
 */
export function outputTo(path: string): Output {
  const found = statSync(path, { throwIfNoEntry: false })
  const { dev, ino } = fstatSync(process.stdout.fd)
  // /dev/stdout: where it is a socket it can't even be opened.
  if (found?.dev === dev && found.ino === ino) return standardOutput()
  if (found !== undefined && !found.isFile() && !found.isDirectory()) return deviceOutput(path)
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw alreadyThere(path)
  return fileOutput(path)
}

/** Nothing can be taken back from it, and nothing of it may be removed. */
function deviceOutput(path: string): Output {
  const fd = openSync(path, 'w')
  return {
    async write(text) {
      writeFileSync(fd, text)
    },
    finish() {},
    close() {
      closeSync(fd)
    },
    isStopped: false,
  }
}

/**
 * Only its owner may read it, as the database. It gets its name once it is whole and on the disk, so that what was killed,
 * or has failed, can't be taken for an export.
 */
function fileOutput(path: string): Output {
  const folder = dirname(path)
  if (!existsSync(folder)) {
    throw new CommandFailure(
      `--output '${path}': found no folder to write it to: make it first, or name another file`,
    )
  }
  // Of at most 255 bytes, as names may be: four for each character, and what comes behind.
  const temporary = join(folder, `${basename(path).slice(0, 60)}.${randomUUID().slice(0, 8)}.tmp`)
  // First: from here on a signal leaves nothing behind.
  const stop = stopOnSignal()
  const fd = openSync(temporary, 'wx', 0o600)
  return {
    async write(text) {
      writeFileSync(fd, text)
      // Otherwise no signal would be heard before the end.
      await nextTurn()
    },
    finish() {
      fsyncSync(fd)
      giveName(temporary, path)
    },
    close() {
      closeSync(fd)
      rmSync(temporary, { force: true })
    },
    get isStopped() {
      return stop.aborted
    },
  }
}

/** A link, unlike a rename, never replaces what came there meanwhile. */
function giveName(temporary: string, path: string): void {
  try {
    linkSync(temporary, path)
  } catch (error) {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw alreadyThere(path)
    const { code = '' } = error as NodeJS.ErrnoException
    // This file system has no links.
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(code)) throw error
    renameSync(temporary, path)
  }
}

function alreadyThere(path: string): CommandFailure {
  return new CommandFailure(
    `${path}: it is there already (EEXIST), and an export replaces nothing: name another file, or remove this one`,
  )
}
