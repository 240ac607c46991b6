import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { DatabaseError } from '../../../src/store/sqlite/connection/errors.js'
import {
  type Migration,
  type MigrationFile,
  parseMigrations,
} from '../../../src/store/sqlite/schema/migrations.js'

/** A path in a new folder that is removed after the test. */
export function temporaryPath(name = 'requests.db'): string {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-storage-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, name)
}

/** The DatabaseError that `action` throws. */
export function databaseErrorOf(action: () => unknown): DatabaseError {
  try {
    action()
  } catch (error) {
    if (error instanceof DatabaseError) return error
    throw error
  }
  throw new Error('expected a DatabaseError, nothing was thrown')
}

/** A process that runs built code: what `script` prints is read line by line, and it may wait for input. */
export class Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>
  readonly exited: Promise<unknown[]>
  readonly #lines: AsyncIterator<string>

  constructor(script: string) {
    this.process = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.exited = once(this.process, 'exit')
    this.#lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]()
  }

  async nextLine(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the child ended without another line')
    return value
  }
}

/** The address of a built module of storage, for an import in a child's script. */
export function builtModule(name: string): string {
  return JSON.stringify(new URL(`../../../dist/store/sqlite/connection/${name}.js`, import.meta.url).href)
}

/** The files of a directory, each with its text. */
export function readMigrationFiles(directory: string): MigrationFile[] {
  const entries = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile())
  const names = entries.map(({ name }) => name).sort()
  return names.map((fileName) => ({ fileName, sql: readFileSync(join(directory, fileName), 'utf8') }))
}

/** The migrations of a directory. */
export function readMigrations(directory: string): Migration[] {
  return parseMigrations(readMigrationFiles(directory))
}
