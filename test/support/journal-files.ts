import { appendFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const DAY = '2026-11-22.ndjson'

/** Writes a journal by hand, as a foreign program would: whatever bytes are given, appended as they are. */
export function writeSegment(
  directory: string,
  text: string | Buffer,
  name = DAY,
  journalId = 'test-journal',
): void {
  mkdirSync(directory, { recursive: true })
  const identity = join(directory, 'journal.json')
  if (!existsSync(identity)) {
    const created_at = '2026-11-22T00:00:00.000Z'
    // Whole at once, as a writer makes it: a projector that waits for a journal may look at any moment.
    const temporary = join(directory, '.journal.json.tmp')
    writeFileSync(temporary, `${JSON.stringify({ format: 1, journal_id: journalId, created_at })}\n`)
    renameSync(temporary, identity)
  }
  appendFileSync(join(directory, name), text)
}

export function lines(...text: string[]): string {
  return text.map((line) => `${line}\n`).join('')
}
