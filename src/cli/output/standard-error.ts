import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { BoundedOutput, type Sink } from './bounded-output.js'

const FD = 2

/** What Node keeps in a stream of its own for a reader that doesn't read. */
const STREAM_BYTES = 64 * 1024

/** Where everything goes that is said to people and to logs. */
export const standardError = new BoundedOutput(openStandardError)

process.on('exit', () => standardError.writeLastWords())

function openStandardError(): Sink {
  const stats = fstatSync(FD)
  if (stats.isFIFO() || isatty(FD)) {
    const fd = reopened()
    if (fd !== null) return { write: (bytes) => writeSync(fd, bytes) }
  }
  // A disk: written as it is, since another description of the file would have an offset of its own.
  if (stats.isFile() || (stats.isCharacterDevice() && !isatty(FD))) {
    return { write: (bytes) => writeSync(FD, bytes) }
  }
  return streamSink(process.stderr)
}

/**
 * A descriptor of the same pipe or terminal that doesn't block: the flag belongs to whoever has opened it, so that other
 * processes that share stderr aren't changed. Null where that isn't to be had: only Linux opens it anew.
 */
function reopened(): number | null {
  if (process.platform !== 'linux') return null
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
  try {
    return openSync(`/proc/self/fd/${FD}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    // No /proc, another user's terminal, or a pipe that nobody reads any more.
    return null
  }
}

/** A socket, as a supervisor may give: Node writes to it without blocking, and keeps what isn't taken. */
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
