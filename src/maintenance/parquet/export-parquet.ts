import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type ExportedRequest, exportRequests } from '../../queries/rows/export.js'
import type { RequestFilter } from '../../queries/window/filter.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { failedImport } from '../errors.js'
import { instantOf } from './columns.js'
import { ParquetFile, type ParquetModule } from './parquet-file.js'
import { openTarget, type PartitionTarget } from './partition-target.js'

/** From this size on a day continues in another file, so that engines can share the work. */
const FILE_BYTES = 128 * 1024 * 1024

/** The name that Hive gives to a partition whose value is null. */
const NO_DAY = '__HIVE_DEFAULT_PARTITION__'

export interface ParquetExportOptions extends RequestFilter {
  /** The folder that gets a folder for each day, or `s3://bucket/prefix`. */
  to: string
  /**
   * Ends the export early: the day that is being written is removed; an object store keeps the
   * files that were sent.
   */
  signal?: AbortSignal | undefined
}

/** What was exported. */
export interface ParquetExportResult {
  requests: number
  /** The UTC days with requests, in order. */
  days: string[]
  files: number
  /** The size of all files. */
  bytes: number
}

/**
 * Writes requests to Parquet files, in a folder for each UTC day
 * (`day=2026-11-22/part-00000.parquet`), which DuckDB, ClickHouse, Spark, Trino and Athena read as
 * one table. Memory is bounded, however many there are. Requests of a day are in the order of time.
 *
 * @returns null if the signal ended the export.
 * @throws QueryError like `exportRequests`; ExportError PARTITION_EXISTS; ObjectStoreError;
 *   InputError PACKAGE_MISSING.
 */
export async function exportParquet(
  database: QueryDatabase,
  { to, signal, ...filter }: ParquetExportOptions,
): Promise<ParquetExportResult | null> {
  const parquet = await loadParquet()
  const requests = exportRequests(database, { ...filter, order: 'timestamp' })
  // Read before anything is made, so that an unknown model leaves nothing.
  let next = requests.next()
  const writer = new DayWriter(await openTarget(to), parquet)
  try {
    for (; next.done !== true; next = requests.next()) {
      if (!(await writer.add(next.value))) continue
      // Lets signals be handled before the end.
      await nextTurn()
      if (signal?.aborted) return null
    }
    return await writer.finish()
  } finally {
    writer.close()
  }
}

async function loadParquet() {
  try {
    return await import('hyparquet-writer')
  } catch (error) {
    throw failedImport(error, 'hyparquet-writer', 'the writer of Parquet files')
  }
}

class DayWriter {
  readonly #target: PartitionTarget
  readonly #parquet: ParquetModule
  readonly #filesOfDays = new Map<string, number>()
  #day: string | null = null
  #directory = ''
  #file: ParquetFile | null = null
  #name = ''
  #requests = 0
  #bytes = 0

  constructor(target: PartitionTarget, parquet: ParquetModule) {
    this.#target = target
    this.#parquet = parquet
  }

  /** @returns whether something was written: then other work should get its turn. */
  async add(request: ExportedRequest): Promise<boolean> {
    const day = instantOf(request.timestamp)?.slice(0, 10) ?? NO_DAY
    const isNewDay = day !== this.#day
    if (isNewDay) {
      await this.#endDay()
      this.#directory = await this.#target.begin(`day=${day}`)
      this.#day = day
    }
    this.#requests++
    const file = this.#file ?? this.#newFile(day)
    const isWritten = file.add(request)
    if (isWritten && file.size >= FILE_BYTES) await this.#endFile()
    return isWritten || isNewDay
  }

  async finish(): Promise<ParquetExportResult> {
    await this.#endDay()
    const files = [...this.#filesOfDays.values()].reduce((sum, count) => sum + count, 0)
    const days = [...this.#filesOfDays.keys()].sort()
    return { requests: this.#requests, days, files, bytes: this.#bytes }
  }

  close(): void {
    this.#file?.abandon()
    this.#target.close()
  }

  #newFile(day: string): ParquetFile {
    const number = this.#filesOfDays.get(day) ?? 0
    this.#filesOfDays.set(day, number + 1)
    this.#name = `part-${String(number).padStart(5, '0')}.parquet`
    this.#file = new ParquetFile(join(this.#directory, this.#name), this.#parquet)
    return this.#file
  }

  async #endFile(): Promise<void> {
    if (this.#file === null) return
    const file = this.#file
    this.#file = null
    file.finish()
    this.#bytes += file.size
    await this.#target.take(this.#name)
  }

  async #endDay(): Promise<void> {
    if (this.#day === null) return
    await this.#endFile()
    await this.#target.end()
    this.#day = null
  }
}
