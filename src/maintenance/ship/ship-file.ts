import { createHash, hash } from 'node:crypto'
import { JournalError } from '../../journal/errors.js'
import type { ShippedJournal } from './shipped-journal.js'

const NEWLINE = 0x0a

/** A file of a journal, as far as it is shipped. */
export interface LocalFile {
  name: string
  /** How many bytes are shipped. */
  bytes: number
  /** The SHA-256 of these bytes, in hex. */
  sha256: string
  /** The file's permissions. */
  mode: number
  /** Returns the bytes from the first on, at least as many as `bytes` says. */
  read(): AsyncIterable<Buffer>
}

/**
 * Creates the parts of a file that the store lacks, in their order, and compares those that are
 * there by their hashes. So a run continues where a killed one ended, and a part that somebody
 * removed is sent again. The last part is created only if all bytes before it were as expected.
 *
 * @param partBytes how many bytes a part has at most.
 * @returns how many bytes were sent.
 * @throws ObjectStoreError OBJECT_DIFFERS if the store holds something else, or more; JournalError
 *   SEGMENT_UNREADABLE if the file changes while it is being read.
 */
export async function shipFile(
  copy: ShippedJournal,
  { name, bytes: end, sha256, mode, read }: LocalFile,
  { partBytes, onSent }: { partBytes: number; onSent: (sent: number) => void },
): Promise<number> {
  const offsets = await copy.offsets(name)
  const source = new ByteSource(read())
  const file = createHash('sha256')
  let sent = 0
  for (let offset = 0, part = 1; offset < end; part++) {
    let there = offsets.includes(offset) ? await copy.part(name, offset) : null
    if (there === null) {
      // A part that fills a gap ends where the next part begins.
      const limit = Math.min(
        partBytes,
        end - offset,
        ...offsets.filter((other) => other > offset).map((other) => other - offset),
      )
      const bytes = cutAtNewline(await source.peek(limit), limit === partBytes)
      const fileSha256 = file.copy().update(bytes).digest('hex')
      const isLast = offset + bytes.length === end
      if (bytes.length === 0 || (isLast && fileSha256 !== sha256)) {
        const text = `${name} changed while it was being read: run \`request-journal verify\``
        throw new JournalError('SEGMENT_UNREADABLE', name, text)
      }
      if (await copy.create(name, offset, bytes, { sha256: fileSha256, part, mode })) {
        sent += bytes.length
        onSent(sent)
        file.update(bytes)
        source.skip(bytes.length)
        offset += bytes.length
        continue
      }
      // Another program was faster, or the store's answer was lost.
      there = await copy.part(name, offset)
      if (there === null)
        throw copy.differs(name, offset, 'it was there and is gone now: somebody is removing objects')
    }
    const bytes = offset + there.length <= end ? await source.peek(there.length) : Buffer.alloc(0)
    if (bytes.length !== there.length || hash('sha256', bytes) !== there.partSha256) {
      throw copy.differs(name, offset, `it differs from the bytes of ${name} on this host`)
    }
    file.update(bytes)
    source.skip(bytes.length)
    offset += bytes.length
  }
  const after = offsets.find((offset) => offset >= end)
  if (after !== undefined) throw copy.differs(name, after, `on this host ${name} has only ${end} bytes`)
  return sent
}

/** Cuts a part at its last newline, to be NDJSON by itself; a line longer than a part, anywhere. */
function cutAtNewline(bytes: Buffer, isCut: boolean): Buffer {
  const lines = isCut ? bytes.lastIndexOf(NEWLINE) + 1 : 0
  return lines === 0 ? bytes : bytes.subarray(0, lines)
}

/** A stream of bytes that can be read before they are skipped. */
class ByteSource {
  readonly #pieces: AsyncIterator<Buffer>
  #bytes = Buffer.alloc(0)

  constructor(pieces: AsyncIterable<Buffer>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** Returns the next bytes, fewer if there are no more. */
  async peek(length: number): Promise<Buffer> {
    const pieces = [this.#bytes]
    for (let have = this.#bytes.length; have < length; ) {
      const { done, value } = await this.#pieces.next()
      if (done === true) break
      // A copy, since the iterator may reuse its buffer.
      pieces.push(Buffer.from(value))
      have += value.length
    }
    if (pieces.length > 1) this.#bytes = Buffer.concat(pieces)
    return this.#bytes.subarray(0, length)
  }

  skip(length: number): void {
    this.#bytes = this.#bytes.subarray(length)
  }
}
