import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { BoundedOutput, type Sink } from './bounded-output.js'

const FD = 2

/** How much Node keeps in its own stream for a reader that doesn't read. */
const STREAM_BYTES = 64 * 1024

/** Everything that is written to stderr goes here: lines for people, and the log. */
export const standardError = new BoundedOutput(openStandardError)

/** Writes a line for people that isn't data. */
export function note(text: string): void {
  standardError.write(`${text}\n`)
}

process.on('exit', () => standardError.writeLastWords())

function openStandardError(): Sink {
  const stats = fstatSync(FD)
  if (stats.isFIFO() || isatty(FD)) {
    const fd = reopened()
    if (fd !== null) return { write: (bytes) => writeSync(fd, bytes) }
  }
  // A file isn't opened again: another descriptor would have an offset of its own.
  if (stats.isFile() || (stats.isCharacterDevice() && !isatty(FD))) {
    return { write: (bytes) => writeSync(FD, bytes) }
  }
  return streamSink(process.stderr)
}

/**
 * Opens the same pipe or terminal again as a descriptor that doesn't block. The flag belongs to
 * this descriptor, so that other processes which share stderr aren't changed. Null if that can't be
 * done: only Linux can.
 */
function reopened(): number | null {
  if (process.platform !== 'linux') return null
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
  try {
    return openSync(`/proc/self/fd/${FD}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    // There is no /proc, the terminal is another user's, or nobody reads the pipe any more.
    return null
  }
}

/** Writes to a socket, as supervisors give. Node doesn't block, and keeps what isn't taken. */
function streamSink(stream: NodeJS.WriteStream): Sink {
  stream.on('error', () => {})
  return {
    write: (bytes) => {
      if (stream.destroyed) throw new Error('stderr is closed')
      if (stream.writableLength >= STREAM_BYTES) {
        throw Object.assign(new Error('stderr is full'), { code: 'EAGAIN' })
      }
      stream.write(bytes)
      return bytes.length
    },
  }
}
