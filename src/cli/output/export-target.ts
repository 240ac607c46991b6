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
import { stopOnSignal } from '../run/process.js'
import { visible } from './terminal.js'

/** A file, a device or stdout that an export is written to. */
export interface ExportTarget {
  /** Resolves when more may be written. */
  write(text: string): Promise<void>
  /** To be called when everything was written. */
  finish?(): void
  /** Closes it; a file that isn't finished is removed. */
  close?(): void
  /** Whether a signal has asked to stop before everything is written. It has set the exit code. */
  readonly isStopped?: boolean
}

export function standardOutput(): ExportTarget {
  const { stdout } = process
  // A terminal gets no control characters. A file or a program gets every byte as it is.
  const shown = stdout.isTTY
    ? (text: string) => text.split('\n').map(visible).join('\n')
    : (text: string) => text
  return {
    async write(text) {
      if (!stdout.write(shown(text))) await once(stdout, 'drain')
    },
  }
}

/**
 * Opens a new file, or something that isn't a file, such as a pipe.
 *
 * @throws CommandFailure if the file exists.
 */
export function exportTo(path: string): ExportTarget {
  const found = statSync(path, { throwIfNoEntry: false })
  const { dev, ino } = fstatSync(process.stdout.fd)
  // This is /dev/stdout, which can't even be opened if it is a socket.
  if (found?.dev === dev && found.ino === ino) return standardOutput()
  if (found !== undefined && !found.isFile() && !found.isDirectory()) return deviceOutput(path)
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw alreadyThere(path)
  return fileOutput(path)
}

/** A device keeps what was written to it, and is never removed. */
function deviceOutput(path: string): ExportTarget {
  const fd = openSync(path, 'w')
  return {
    async write(text) {
      writeFileSync(fd, text)
    },
    close() {
      closeSync(fd)
    },
  }
}

/**
 * A file that only its owner may read, like the database. It gets its name once it is whole and on
 * the disk, so that what a killed or failed export has written can't be taken for a whole one.
 */
function fileOutput(path: string): ExportTarget {
  const folder = dirname(path)
  if (!existsSync(folder)) {
    throw new CommandFailure(
      `--output '${path}': its folder doesn't exist: make it first, or name another file`,
    )
  }
  // A name may have 255 bytes: four for each of these characters, and the rest of the name.
  const temporary = join(folder, `${basename(path).slice(0, 60)}.${randomUUID().slice(0, 8)}.tmp`)
  // Called before the file is made: from here on a signal leaves no file.
  const stop = stopOnSignal()
  const fd = openSync(temporary, 'wx', 0o600)
  return {
    async write(text) {
      writeFileSync(fd, text)
      // Lets signals be handled before the end.
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

/** Gives a file its name by a link, which, unlike a rename, never replaces another file. */
function giveName(temporary: string, path: string): void {
  try {
    linkSync(temporary, path)
  } catch (error) {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw alreadyThere(path)
    const { code = '' } = error as NodeJS.ErrnoException
    // This file system doesn't have links.
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(code)) throw error
    renameSync(temporary, path)
  }
}

function alreadyThere(path: string): CommandFailure {
  return new CommandFailure(
    `${path}: it exists already (EEXIST), and an export replaces nothing: name another file, or remove this one`,
  )
}
