import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { nodeFileSystem, syncDirectory } from '../../journal/file-system.js'
import { isS3Address } from '../objects/s3-address.js'
import { ObjectStore } from '../objects/s3-store.js'
import { ExportError } from './errors.js'

/** Where the files of days go. */
export interface PartitionTarget {
  /**
   * Begins a day. There may be no files of it that this run hasn't made.
   *
   * @returns the directory in which the files of the day are to be made.
   * @throws ExportError PARTITION_EXISTS
   */
  begin(folder: string): Promise<string>
  /** Takes a file of the day, once it is complete. */
  take(file: string): Promise<void>
  /** Ends the day: all of its files are complete. */
  end(): Promise<void>
  /** Removes what isn't complete. */
  close(): void
}

export async function openTarget(to: string): Promise<PartitionTarget> {
  return isS3Address(to) ? new StoreTarget(await ObjectStore.open(to)) : new FolderTarget(resolve(to))
}

/** Folders on this host. The folder of a day gets its name once it is complete and durable. */
class FolderTarget implements PartitionTarget {
  readonly #path: string
  readonly #made = new Set<string>()
  #folder = ''
  #temporary = ''

  constructor(path: string) {
    this.#path = path
    mkdirSync(path, { recursive: true, mode: 0o700 })
  }

  async begin(folder: string): Promise<string> {
    if (!this.#made.has(folder) && existsSync(join(this.#path, folder)))
      throw alreadyThere(this.#path, folder)
    this.#folder = folder
    this.#temporary = mkdtempSync(join(this.#path, `.${folder}.`))
    return this.#temporary
  }

  async take(): Promise<void> {}

  async end(): Promise<void> {
    const path = join(this.#path, this.#folder)
    syncDirectory(nodeFileSystem, this.#temporary)
    if (this.#made.has(this.#folder)) {
      // Rows of other programs may not be in the order of time, so that a day is begun twice.
      for (const file of readdirSync(this.#temporary))
        renameSync(join(this.#temporary, file), join(path, file))
      syncDirectory(nodeFileSystem, path)
      rmSync(this.#temporary, { recursive: true })
    } else {
      this.#giveName(path)
    }
    syncDirectory(nodeFileSystem, this.#path)
    this.#made.add(this.#folder)
    this.#temporary = ''
  }

  close(): void {
    if (this.#temporary !== '') rmSync(this.#temporary, { recursive: true, force: true })
  }

  /** A rename replaces an empty folder, and nothing else. */
  #giveName(path: string): void {
    try {
      renameSync(this.#temporary, path)
    } catch (error) {
      if (existsSync(path)) throw alreadyThere(this.#path, this.#folder)
      throw error
    }
  }
}

/** An object store: each file is sent once it is complete. */
class StoreTarget implements PartitionTarget {
  readonly #store: ObjectStore
  readonly #temporary = mkdtempSync(join(tmpdir(), 'request-journal-export-'))
  readonly #made = new Set<string>()
  /** Distinguishes the objects of this run from those of others. */
  readonly #run = randomUUID()
  #folder = ''

  constructor(store: ObjectStore) {
    this.#store = store
  }

  async begin(folder: string): Promise<string> {
    this.#folder = folder
    if (!this.#made.has(folder)) {
      for await (const _ of this.#store.list(`${folder}/`)) throw alreadyThere(this.#store.name, folder)
      this.#made.add(folder)
    }
    return this.#temporary
  }

  async take(file: string): Promise<void> {
    const path = join(this.#temporary, file)
    const key = `${this.#folder}/${file}`
    const isMade = await this.#store.create(key, readFileSync(path), { run: this.#run })
    // The answer may have been lost.
    if (!isMade && (await this.#store.metadata(key))?.['run'] !== this.#run)
      throw alreadyThere(this.#store.name, key)
    rmSync(path)
  }

  async end(): Promise<void> {}

  close(): void {
    this.#store.close()
    rmSync(this.#temporary, { recursive: true, force: true })
  }
}

function alreadyThere(name: string, folder: string): ExportError {
  const text = `${name}/${folder} is there already, and an export replaces nothing`
  const advice = 'remove it to export that day again, or leave the day out with --since and --before'
  return new ExportError('PARTITION_EXISTS', `${text}: ${advice}`)
}
