import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { versionOf } from '../journal/chain/archive-check.js'
import { MANIFEST_FILE } from '../journal/chain/manifest.js'
import { IDENTITY_FILE } from '../journal/journal-identity.js'
import type { Store } from '../store/port.js'

const PERMISSIONS = 0o7777

/**
 * The small files of a journal, journal.json and the manifest. Whenever they change, they are
 * copied to the store, if it keeps the journal's bytes.
 */
export class SmallFileCopies {
  readonly #directory: string
  /** The version of each file that the store holds. */
  readonly #kept = new Map<string, string>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Copies the files that have changed to the store. */
  async keep(store: Store): Promise<void> {
    if (store.keepFile === undefined) return
    for (const name of [IDENTITY_FILE, MANIFEST_FILE]) {
      const path = join(this.#directory, name)
      const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
      if (stats === undefined || !stats.isFile()) continue
      const version = `${versionOf(stats)} ${stats.mode}`
      if (this.#kept.get(name) === version) continue
      await store.keepFile({ name, mode: Number(stats.mode) & PERMISSIONS, bytes: readFileSync(path) })
      this.#kept.set(name, version)
    }
  }
}
