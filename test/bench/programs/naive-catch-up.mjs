// The projector that one writes first: 1 MiB of lines, one transaction, again. Same table, same indexes, same columns.
import { closeSync, openSync, readSync } from 'node:fs'
import SQLite from 'better-sqlite3'
import { openDatabase } from 'request-journal/projection'
import { insertValues, REQUEST_COLUMNS } from './rows.mjs'
import { answer, configuration } from './support.mjs'

const CHUNK_BYTES = 1024 * 1024

const { segment, database: path } = configuration
// Only for the schema, where there is none yet.
openDatabase(path).close()
const database = new SQLite(path)
database.pragma('journal_mode = WAL')
const insert = database.prepare(
  `INSERT INTO requests (${REQUEST_COLUMNS.join(', ')}) VALUES (${REQUEST_COLUMNS.map(() => '?').join(', ')})`,
)
const startedAt = performance.now()
const descriptor = openSync(segment, 'r')
const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
let rest = ''
let byteOffset = 0
let rows = 0
const project = database.transaction((lines) => {
  for (const line of lines) {
    insert.run(insertValues(JSON.parse(line), 1, byteOffset))
    byteOffset += Buffer.byteLength(line) + 1
    rows++
  }
})
for (;;) {
  const bytes = readSync(descriptor, chunk)
  if (bytes === 0) break
  // The events are ASCII, so no character is cut.
  const lines = (rest + chunk.toString('utf8', 0, bytes)).split('\n')
  rest = lines.pop() ?? ''
  project(lines)
}
closeSync(descriptor)
// With its last checkpoint, as ours.
database.close()
answer({ rows, elapsedMs: performance.now() - startedAt })
