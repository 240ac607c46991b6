import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { formatBytes } from './format.mjs'

/** The temporary files of one run, all in one folder. */
export class Workspace {
  #next = 0

  /** @param {string} parent where the folder is made */
  constructor(parent) {
    mkdirSync(parent, { recursive: true })
    this.directory = mkdtempSync(join(parent, 'request-journal-bench-'))
  }

  /**
   * A path that nothing has yet.
   *
   * @param {string} name
   */
  path(name) {
    this.#next++
    return join(this.directory, `${this.#next}-${name}`)
  }

  /** @param {string} name */
  folder(name) {
    const path = this.path(name)
    mkdirSync(path)
    return path
  }

  /**
   * A folder for the time of one measurement: what it left goes before the next, so that its dirty pages are never
   * written back while another contender is measured.
   *
   * @template T
   * @param {(directory: string) => Promise<T>} measure
   * @returns {Promise<T>}
   */
  async within(measure) {
    const directory = this.folder('round')
    try {
      return await measure(directory)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }

  /** @throws where the disk has less room than a scenario takes at its most. */
  assertFree(/** @type {number} */ bytes) {
    const { bavail, bsize } = statfsSync(this.directory)
    const free = bavail * bsize
    if (free >= bytes) return
    throw new Error(
      `${this.directory} has ${formatBytes(free)} free, ${formatBytes(bytes)} are needed: ` +
        `free ${formatBytes(bytes - free)}, give another --directory, or fewer --events`,
    )
  }

  remove() {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 })
  }
}
