import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { nodeFileSystem, syncDirectory } from '../../journal/file-system.js'
import type { ObjectStore } from '../objects/object-store.js'
import { isS3Address } from '../objects/s3-address.js'
import { openS3 } from '../objects/s3-store.js'
import { ExportError } from './errors.js'

/** Where the files of days go. */
export interface PartitionTarget {
  /** The place, for messages. */
  readonly name: string
  /**
   * Begins a day. There may be no files of it that this run hasn't made.
   *
   * @throws ExportError PARTITION_EXISTS
   */
  begin(folder: string): Promise<void>
  /** The path at which the next file of the day is to be made. */
  pathOf(file: string): string
  /** Takes a file of the day, once it is complete. */
  take(file: string): Promise<void>
  /** Ends the day: all of its files are complete. */
  end(): Promise<void>
  /** Removes what isn't complete. */
  close(): void
}

export async function openTarget(to: string): Promise<PartitionTarget> {
  return isS3Address(to) ? new StoreTarget(await openS3(to)) : new FolderTarget(resolve(to))
}

/** Folders on this host. The folder of a day gets its name once it is complete and durable. */
class FolderTarget implements PartitionTarget {
  readonly name: string
  readonly #made = new Set<string>()
  #folder = ''
  #temporary = ''
  #files: string[] = []

  constructor(path: string) {
    this.name = path
    mkdirSync(path, { recursive: true, mode: 0o700 })
  }

  async begin(folder: string): Promise<void> {
    if (!this.#made.has(folder) && existsSync(join(this.name, folder))) throw alreadyThere(this.name, folder)
    this.#folder = folder
    this.#files = []
    this.#temporary = mkdtempSync(join(this.name, `.${folder}.`))
  }

  pathOf(file: string): string {
    return join(this.#temporary, file)
  }

  async take(file: string): Promise<void> {
    this.#files.push(file)
  }

  async end(): Promise<void> {
    const path = join(this.name, this.#folder)
    syncDirectory(nodeFileSystem, this.#temporary)
    if (this.#made.has(this.#folder)) {
      // Rows of other programs may not be in the order of time, so that a day is begun twice.
      for (const file of this.#files) renameSync(join(this.#temporary, file), join(path, file))
      syncDirectory(nodeFileSystem, path)
      rmSync(this.#temporary, { recursive: true })
    } else {
      this.#giveName(path)
    }
    syncDirectory(nodeFileSystem, this.name)
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
      if (existsSync(path)) throw alreadyThere(this.name, this.#folder)
      throw error
    }
  }
}

/** An object store: each file is sent once it is complete. */
class StoreTarget implements PartitionTarget {
  readonly name: string
  readonly #store: ObjectStore
  readonly #temporary = mkdtempSync(join(tmpdir(), 'request-journal-export-'))
  readonly #made = new Set<string>()
  /** Distinguishes the objects of this run from those of others. */
  readonly #run = randomUUID()
  #folder = ''

  constructor(store: ObjectStore) {
    this.#store = store
    this.name = store.name
  }

  async begin(folder: string): Promise<void> {
    this.#folder = folder
    if (this.#made.has(folder)) return
    for await (const _ of this.#store.list(`${folder}/`)) throw alreadyThere(this.name, folder)
    this.#made.add(folder)
  }

  pathOf(file: string): string {
    return join(this.#temporary, file)
  }

  async take(file: string): Promise<void> {
    const path = this.pathOf(file)
    const key = `${this.#folder}/${file}`
    const isMade = await this.#store.create(key, readFileSync(path), { run: this.#run })
    // The answer may have been lost.
    if (!isMade && (await this.#store.metadata(key))?.['run'] !== this.#run)
      throw alreadyThere(this.name, key)
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
