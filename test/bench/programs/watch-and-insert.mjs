// The floor of a projector: fs.watch, read what is new, one transaction. No checks, no position, no sync.
import { openSync, readSync, watch } from 'node:fs'
import SQLite from 'better-sqlite3'
import { openDatabase } from 'request-journal/projection'
import { insertValues, REQUEST_COLUMNS } from './rows.mjs'
import { answer, configuration } from './support.mjs'

const { segment, database: path } = configuration
openDatabase(path).close()
const database = new SQLite(path)
database.pragma('journal_mode = WAL')
database.pragma('synchronous = NORMAL')
const insert = database.prepare(
  `INSERT INTO requests (${REQUEST_COLUMNS.join(', ')}) VALUES (${REQUEST_COLUMNS.map(() => '?').join(', ')})`,
)
const insertAll = database.transaction((lines) => {
  for (const line of lines) insert.run(insertValues(JSON.parse(line), 1, 0))
})
const descriptor = openSync(segment, 'r')
const chunk = Buffer.allocUnsafe(1024 * 1024)
let rest = ''

function look() {
  for (;;) {
    const bytes = readSync(descriptor, chunk)
    if (bytes === 0) return
    const lines = (rest + chunk.toString('utf8', 0, bytes)).split('\n')
    rest = lines.pop() ?? ''
    if (lines.length > 0) insertAll(lines)
  }
}

const watcher = watch(segment, look)
look()
process.stdout.write('ready\n')
process.stdin.resume().once('end', () => {
  watcher.close()
  look()
  database.close()
  answer({})
})
