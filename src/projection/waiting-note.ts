import { createHash } from 'node:crypto'
import { closeSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { nodeFileSystem, readSmallFile } from '../journal/file-system.js'
import { sharedMode } from '../journal/journal-identity.js'
import { createFile } from '../journal/new-file.js'
import type { SegmentPosition } from '../store/positions.js'

const MAX_BYTES = 16 * 1024

/** What the note of a projector that waits for a server says to other programs on its host. */
export interface Waiting {
  /** When it began to wait: RFC 3339. */
  since: string
  reason: string
  /** How far it had projected the newest segment; null if it doesn't know. */
  projected: { segment: string; bytes: number } | null
}

/**
 * The file in which a projector notes that it waits for a server, since nobody can ask the server
 * then. It is kept in the journal's directory, and is removed once the projector goes on. A
 * projector without permission to write there has no note.
 */
export class WaitingNote {
  readonly #directory: string
  readonly #path: string
  /** Whether the note may exist, perhaps from a projector that was killed while it waited. */
  #mayBeThere = true

  constructor(directory: string, database: string) {
    this.#directory = directory
    this.#path = notePath(directory, database)
  }

  /** Writes the note. If there is one already, it is kept, because its `since` is earlier. */
  begin(reason: Error, position: SegmentPosition | null): void {
    const projected = position && { segment: position.name, bytes: position.projectedBytes }
    const waiting: Waiting = { since: new Date().toISOString(), reason: reason.message, projected }
    try {
      const mode = sharedMode(this.#directory, nodeFileSystem)
      const fd = createFile(nodeFileSystem, this.#path, { mode })
      try {
        writeSync(fd, `${JSON.stringify(waiting)}\n`)
      } finally {
        closeSync(fd)
      }
    } catch {
      // The note exists already, or it can't be written; projecting doesn't depend on it.
    }
    this.#mayBeThere = true
  }

  end(): void {
    if (!this.#mayBeThere) return
    this.#mayBeThere = false
    try {
      rmSync(this.#path, { force: true })
    } catch {
      // A journal that this process may only read has no note.
    }
  }
}

/** Reads the note of a projector that waits for a server; null if none is waiting. */
export function readWaitingNote(directory: string, database: string): Waiting | null {
  try {
    const { since, reason, projected } = JSON.parse(readSmallFile(notePath(directory, database), MAX_BYTES))
    const isPosition = typeof projected?.segment === 'string' && typeof projected.bytes === 'number'
    if (Number.isNaN(Date.parse(since)) || typeof reason !== 'string') return null
    return { since, reason, projected: isPosition ? projected : null }
  } catch {
    return null
  }
}

function notePath(directory: string, database: string): string {
  const hash = createHash('sha256').update(database).digest('hex').slice(0, 12)
  return join(directory, `.waiting-${hash}.json`)
}
