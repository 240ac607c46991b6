import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { type SegmentSource, unreadable } from './segment-source.js'

/** How many bytes are read at a time. */
const PIECE_BYTES = 1024 * 1024

/**
 * Reads bytes of a segment once more, as they are in its plain file, or fewer if the file ends
 * first. An archive is decompressed from its beginning to get them.
 *
 * @param end the offset after the last byte.
 * @throws JournalError SEGMENT_UNREADABLE
 */
export async function* segmentBytes(
  source: SegmentSource,
  byteOffset: number,
  end: number,
): AsyncGenerator<Buffer> {
  if (source.isArchive) {
    yield* archivedBytes(source.path, byteOffset, end)
    return
  }
  for (let offset = byteOffset; offset < end; offset += PIECE_BYTES) {
    yield source.bytesAt(offset, Math.min(PIECE_BYTES, end - offset))
  }
}

async function* archivedBytes(path: string, byteOffset: number, end: number): AsyncGenerator<Buffer> {
  const file = createReadStream(path)
  const gunzip = createGunzip({ chunkSize: PIECE_BYTES })
  file.on('error', (error) => gunzip.destroy(error))
  let offset = 0
  try {
    for await (const piece of file.pipe(gunzip) as AsyncIterable<Buffer>) {
      const wanted = piece.subarray(Math.max(0, byteOffset - offset), Math.max(0, end - offset))
      if (wanted.length > 0) yield wanted
      offset += piece.length
      if (offset >= end) return
    }
  } catch (error) {
    throw unreadable(path, error)
  } finally {
    file.destroy()
    gunzip.destroy()
  }
}
