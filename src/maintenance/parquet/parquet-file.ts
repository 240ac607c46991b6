import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs'
import type { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { VERSION } from '../../package/package-files.js'
import type { ExportedRequest } from '../../queries/rows/export.js'
import { COLUMNS, SCHEMA } from './columns.js'

/** How many requests a row group has at most; they are held in memory until it is written. */
const GROUP_ROWS = 20_000
/** How many UTF-16 units of labels and messages a row group has at most. */
const GROUP_TEXT = 32 * 1024 * 1024

export type ParquetModule = Pick<typeof import('hyparquet-writer'), 'ByteWriter' | 'ParquetWriter'>

/** A Parquet file that requests are added to, a row group at a time. */
export class ParquetFile {
  readonly #fd: number
  readonly #bytes: ByteWriter
  readonly #writer: ParquetWriter
  #columns: unknown[][] = COLUMNS.map(() => [])
  #groupRows = 0
  #groupText = 0

  /** Creates a file that only its owner may read, like the database. */
  constructor(path: string, { ByteWriter, ParquetWriter }: ParquetModule) {
    this.#fd = openSync(path, 'wx', 0o600)
    this.#bytes = new ByteWriter()
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: [...SCHEMA],
      createdBy: `request-journal version ${VERSION}`,
    })
  }

  /** How many bytes are written, without the row group that is being filled. */
  get size(): number {
    return this.#bytes.offset
  }

  /** @returns whether a row group was written. */
  add(request: ExportedRequest): boolean {
    for (const [index, { cellOf }] of COLUMNS.entries()) this.#columns[index]?.push(cellOf(request))
    this.#groupRows++
    this.#groupText += request.error_message?.length ?? 0
    for (const [name, value] of Object.entries(request.labels ?? {})) {
      this.#groupText += name.length + (value?.length ?? 0)
    }
    if (this.#groupRows < GROUP_ROWS && this.#groupText < GROUP_TEXT) return false
    this.#writeGroup()
    return true
  }

  /** Makes the file whole and durable, and closes it. */
  finish(): void {
    if (this.#groupRows > 0) this.#writeGroup()
    this.#writer.finish()
    this.#flush()
    fsyncSync(this.#fd)
    closeSync(this.#fd)
  }

  /** Closes a file that isn't whole. */
  abandon(): void {
    closeSync(this.#fd)
  }

  #writeGroup(): void {
    const columnData = COLUMNS.map(({ name }, index) => ({ name, data: this.#columns[index] ?? [] }))
    this.#writer.write({ columnData, rowGroupSize: this.#groupRows })
    this.#flush()
    this.#columns = COLUMNS.map(() => [])
    this.#groupRows = 0
    this.#groupText = 0
  }

  #flush(): void {
    const bytes = this.#bytes.getBytes()
    writeFileSync(this.#fd, bytes)
    this.#bytes.index = 0
  }
}
