import { createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { InputError } from './errors.js'

const CHUNK_BYTES = 256 * 1024
const GZIP = Buffer.from([0x1f, 0x8b])

/**
 * Reads the bytes of a file, decompressed if it is gzip.
 *
 * @throws InputError FILE_UNREADABLE
 */
export async function* fileBytes(path: string): AsyncGenerator<Buffer, void, undefined> {
  const isGzip = (await beginningOf(path)).equals(GZIP)
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES })
  // Once one of the two ends or fails, `pipeline` ends the other.
  const chunks = isGzip ? pipeline(file, createGunzip({ chunkSize: CHUNK_BYTES }), () => {}) : file
  try {
    for await (const chunk of chunks) yield chunk
  } catch (error) {
    throw unreadableFile(path, error, isGzip ? "the file's gzip is damaged or cut off" : "can't be read")
  }
}

/** The first two bytes of a regular file; empty for a pipe, which would lack them afterwards. */
async function beginningOf(path: string): Promise<Buffer> {
  let file: FileHandle | null = null
  try {
    if (!(await stat(path)).isFile()) return Buffer.alloc(0)
    file = await open(path)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(GZIP.length), 0, GZIP.length, 0)
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    throw unreadableFile(path, error)
  } finally {
    await file?.close()
  }
}

export function unreadableFile(path: string, error: unknown, found = "can't be read"): InputError {
  const text = `${found} (${error instanceof Error ? error.message : String(error)})`
  return new InputError('FILE_UNREADABLE', path, text, { cause: error })
}
