import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand, runProgram } from './processes.mjs'

/**
 * @typedef {object} JournalFiles
 * @property {string} directory
 * @property {number} events
 * @property {number} bytes of all segments
 * @property {string[]} segments their paths, in order
 */

/** What one event takes at most on disk, for the look at the free space: its line, and its row with both indexes. */
export const JOURNAL_BYTES = 420
export const DATABASE_BYTES = 340

/** Journals and databases that several scenarios of a run read; each is made when it is first asked for. */
export class Journals {
  /** @type {Map<string, Promise<JournalFiles>>} */
  #journals = new Map()
  /** @type {Map<string, Promise<string>>} */
  #databases = new Map()
  #workspace
  #seed
  #progress

  /**
   * @param {import('./workspace.mjs').Workspace} workspace
   * @param {number} seed
   * @param {(text: string) => void} progress
   */
  constructor(workspace, seed, progress) {
    this.#workspace = workspace
    this.#seed = seed
    this.#progress = progress
  }

  /**
   * A journal of generated events, one segment a day. Nobody may change it: see `linkJournal`.
   *
   * @param {number} events
   * @param {number} [days]
   * @returns {Promise<JournalFiles>}
   */
  generated(events, days = 30) {
    return this.#once(this.#journals, `${events}/${days}`, async () => {
      this.#progress(`making a journal of ${events.toLocaleString('en-US')} events in ${days} segments`)
      const directory = this.#workspace.path(`journal-${events}-${days}`)
      await runProgram('make-journal', { directory, events, days, seed: this.#seed })
      return journalFiles(directory, events)
    })
  }

  /**
   * The database of a generated journal, up to date and at rest. Nobody may change it: see `copyDatabase`.
   *
   * @param {string} checkout whose program makes it: another one may not be able to read it
   * @param {number} events
   * @param {number} [days]
   * @returns {Promise<string>}
   */
  database(checkout, events, days = 30) {
    return this.#once(this.#databases, `${events}/${days}/${checkout}`, async () => {
      const { directory } = await this.generated(events, days)
      this.#progress(`projecting ${events.toLocaleString('en-US')} events`)
      const database = this.#workspace.path(`requests-${events}-${days}.db`)
      await runCommand(checkout, ['replay', '--journal', directory, '--db', database])
      // Seals the segments, so that no measurement meets this work.
      await runCommand(checkout, ['project', '--once', '--journal', directory, '--db', database])
      return database
    })
  }

  /**
   * @template T
   * @param {Map<string, Promise<T>>} made
   * @param {string} key
   * @param {() => Promise<T>} make
   */
  #once(made, key, make) {
    const known = made.get(key) ?? make()
    made.set(key, known)
    return known
  }
}

/**
 * @param {string} directory
 * @param {number} events
 * @returns {JournalFiles}
 */
export function journalFiles(directory, events) {
  const names = readdirSync(directory).filter((name) => name.endsWith('.ndjson'))
  const segments = names.sort().map((name) => join(directory, name))
  return { directory, events, bytes: segments.reduce((sum, path) => sum + statSync(path).size, 0), segments }
}

/**
 * The same journal in another folder, by hard links: segments that are made there are not in the first. One that is
 * there already gets the segments that it lacks.
 *
 * @param {JournalFiles} journal
 * @param {string} directory
 */
export function linkJournal(journal, directory) {
  mkdirSync(directory, { mode: 0o700, recursive: true })
  for (const name of readdirSync(journal.directory)) {
    if (existsSync(join(directory, name))) continue
    const [from, to] = [join(journal.directory, name), join(directory, name)]
    // A manifest may be added to.
    if (name.endsWith('.ndjson') || name === 'journal.json') linkSync(from, to)
    else copyFileSync(from, to)
  }
}

/**
 * The trace's events as NDJSON where its script is there, else generated ones.
 *
 * @param {{ path: string, events: number, seed: number }} options
 * @returns {Promise<'trace' | 'generator'>} which of the two
 */
export async function writeEvents({ path, events, seed }) {
  return (await runProgram('make-events', { path, events, seed })).source
}

/**
 * @param {string} directory
 * @param {string} [journalId]
 */
export function writeIdentity(directory, journalId = '00000000-0000-4000-8000-00000000be9c') {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const identity = { format: 1, journal_id: journalId, created_at: '2025-10-01T00:00:00.000Z' }
  writeFileSync(join(directory, 'journal.json'), `${JSON.stringify(identity)}\n`, { mode: 0o600 })
}
