import { hash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { ObjectStoreError } from '../objects/errors.js'
import type { ObjectStore } from '../objects/s3-store.js'

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** How many digits offsets have, enough for the greatest, so that keys sort as offsets do. */
const OFFSET_DIGITS = 16

/**
 * The metadata of a part, all as texts: its plain bytes and their hash; how many bytes the file has
 * up to this part's end, and the hash of all these; which part it is, from 1; the permissions.
 */
interface PartMetadata {
  bytes: string
  sha256: string
  'file-bytes': string
  'file-sha256': string
  part: string
  mode: string
}

/** What the store holds of one file of a journal. */
export interface ShippedFile {
  /** How many of its parts are there. */
  parts: number
  /** How many bytes of the file they are, if no part between is missing. */
  bytes: number
  /** The SHA-256 of these bytes, in hex. */
  sha256: string
  /** Whether no part between is missing. */
  isWhole: boolean
  /** The permissions of the file. */
  mode: number
}

/** A part of a file, and what the file is up to its end. */
interface ShippedPart extends Pick<ShippedFile, 'bytes' | 'sha256' | 'mode'> {
  length: number
  partSha256: string
  /** Which part of the file it is, from 1. */
  part: number
}

/**
 * The copy of a journal in an object store. A file of a journal only grows, and so does its copy:
 * each object is a part of the file, gzipped, named after the offset of its first byte: `<journal
 * id>/2026-11-22.ndjson/0000000000000000.gz`. The parts one after another are the file.
 */
export class ShippedJournal {
  readonly name: string
  readonly #store: ObjectStore
  readonly #folder: string

  constructor(store: ObjectStore, journalId: string) {
    this.#store = store
    this.#folder = `${encodeURIComponent(journalId)}/`
    this.name = `${store.name}/${this.#folder}`
  }

  /** Lists the objects, and asks for the metadata of the last part of each file. */
  async files(): Promise<Map<string, ShippedFile>> {
    const found = new Map<string, { parts: number; offset: number }>()
    for await (const key of this.#store.list(this.#folder)) {
      const [, name, digits] = /^(.+)\/(\d{16})\.gz$/.exec(key.slice(this.#folder.length)) ?? []
      if (name !== undefined) {
        found.set(name, { parts: (found.get(name)?.parts ?? 0) + 1, offset: Number(digits) })
      }
    }
    const files = new Map<string, ShippedFile>()
    for (const [name, { parts, offset }] of found) {
      const last = await this.part(name, offset)
      if (last !== null) files.set(name, { ...last, parts, isWhole: last.part === parts })
    }
    return files
  }

  /** The offsets at which the parts of a file begin, in order. */
  async offsets(name: string): Promise<number[]> {
    const offsets: number[] = []
    for await (const key of this.#store.list(`${this.#folder}${name}/`)) {
      const [, digits] = /\/(\d{16})\.gz$/.exec(key) ?? []
      if (digits !== undefined) offsets.push(Number(digits))
    }
    return offsets
  }

  /** The part of a file that begins at an offset; null if it isn't there. */
  async part(name: string, offset: number): Promise<ShippedPart | null> {
    const metadata = await this.#store.metadata(this.#key(name, offset))
    if (metadata === null) return null
    const { bytes, sha256, part, mode, ...file } = metadata as unknown as PartMetadata
    const numbers = { length: Number(bytes), bytes: Number(file['file-bytes']), part: Number(part) }
    const isOurs = numbers.length > 0 && numbers.bytes === offset + numbers.length && /^[0-7]+$/.test(mode)
    if (!isOurs) throw this.differs(name, offset, "it isn't a part of a journal that `ship` has created")
    return { ...numbers, partSha256: sha256, sha256: file['file-sha256'], mode: Number.parseInt(mode, 8) }
  }

  /**
   * Creates a part of a file from its bytes.
   *
   * @param file what the file is up to the part's end, and which part it is.
   * @returns false if there is a part already that begins at this offset.
   */
  async create(
    name: string,
    offset: number,
    bytes: Buffer,
    file: Pick<ShippedPart, 'sha256' | 'part' | 'mode'>,
  ): Promise<boolean> {
    const metadata: PartMetadata = {
      bytes: String(bytes.length),
      sha256: hash('sha256', bytes),
      'file-bytes': String(offset + bytes.length),
      'file-sha256': file.sha256,
      part: String(file.part),
      mode: file.mode.toString(8),
    }
    return await this.#store.create(this.#key(name, offset), await compress(bytes), { ...metadata })
  }

  /** The parts of a file, decompressed and checked, from the one with the byte at an offset on. */
  async *read(name: string, fromOffset = 0): AsyncGenerator<{ byteOffset: number; bytes: Buffer }> {
    const offsets = await this.offsets(name)
    const first = offsets.findLastIndex((offset) => offset <= fromOffset)
    for (const byteOffset of offsets.slice(Math.max(first, 0))) {
      const object = await this.#store.read(this.#key(name, byteOffset))
      // Somebody has removed it since.
      if (object === null) return
      const bytes = await this.#decompressed(name, byteOffset, object.bytes)
      if (hash('sha256', bytes) !== object.metadata['sha256']) {
        throw this.differs(name, byteOffset, "its bytes aren't those that `ship` has sent")
      }
      yield { byteOffset, bytes }
    }
  }

  differs(name: string, offset: number, found: string): ObjectStoreError {
    const advice = 'nothing is overwritten: use another prefix, or inspect this object and remove it'
    const address = `${this.#store.name}/${this.#key(name, offset)}`
    return new ObjectStoreError('OBJECT_DIFFERS', address, `${found}; ${advice}`)
  }

  async #decompressed(name: string, offset: number, bytes: Buffer): Promise<Buffer> {
    try {
      return await decompress(bytes)
    } catch {
      throw this.differs(name, offset, "it isn't gzip")
    }
  }

  #key(name: string, offset: number): string {
    return `${this.#folder}${name}/${String(offset).padStart(OFFSET_DIGITS, '0')}.gz`
  }
}
