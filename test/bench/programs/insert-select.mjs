// The floor of a replay: rows that lie in memory already, into a file database, and both indexes afterwards.
import SQLite from 'better-sqlite3'
import { openDatabase } from 'request-journal/projection'
import { answer, configuration } from './support.mjs'

const INDEXES = ['idx_requests_correlation_id', 'idx_requests_timestamp']

const { from, database: path } = configuration
// Makes the schema; the same settings as the product's, so that readers could go on beside it.
openDatabase(path).close()
const database = new SQLite(path)
database.pragma('journal_mode = WAL')
database.pragma('synchronous = NORMAL')
database.pragma(`cache_size = -${64 * 1024}`)
const definitions = INDEXES.map((name) =>
  String(database.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').pluck().get(name)),
)
for (const name of INDEXES) database.exec(`DROP INDEX ${name}`)
database.exec("ATTACH ':memory:' AS memory")
database.prepare('ATTACH ? AS source').run(from)
database.exec('CREATE TABLE memory.rows AS SELECT * FROM source.requests ORDER BY id')
database.exec('DETACH source')

const startedAt = performance.now()
database.exec('BEGIN IMMEDIATE')
const { changes } = database.prepare('INSERT INTO main.requests SELECT * FROM memory.rows').run()
for (const definition of definitions) database.exec(definition)
database.exec('COMMIT')
database.pragma('wal_checkpoint(TRUNCATE)')
const elapsedMs = performance.now() - startedAt
database.close()
answer({ rows: changes, elapsedMs })
