// DuckDB reads the segments into a table of a file database.
import { createRequire } from 'node:module'
import { answer, configuration } from './support.mjs'

const { duckdbPath, segments, database: path } = configuration
const { DuckDBInstance } = createRequire(import.meta.url)(duckdbPath)
const startedAt = performance.now()
const instance = await DuckDBInstance.create(path)
const connection = await instance.connect()
const list = segments.map((/** @type {string} */ segment) => `'${segment.replaceAll("'", "''")}'`).join(', ')
await connection.run(`CREATE TABLE requests AS SELECT * FROM read_ndjson([${list}])`)
await connection.run('CHECKPOINT')
const elapsedMs = performance.now() - startedAt
const reader = await connection.runAndReadAll('SELECT count(*) FROM requests')
answer({ rows: Number(reader.getRows()[0][0]), elapsedMs })
