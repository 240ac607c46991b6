// The sqlite3 shell alone: lines into a table of one column, then columns out of them by ->>, then the indexes.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { REQUEST_COLUMNS } from './rows.mjs'
import { answer, configuration } from './support.mjs'

const { segments, database: path } = configuration
const schema = readFileSync(
  new URL('../../../migrations/20260203000000_initial_schema.sql', import.meta.url),
  'utf8',
)
const columns = REQUEST_COLUMNS.filter((name) => name !== 'segment_id' && name !== 'byte_offset')
const [tables, indexes] = [
  schema.replaceAll(/^CREATE INDEX.*$/gm, ''),
  schema.match(/^CREATE INDEX.*$/gm) ?? [],
]
const files = segments.map((/** @type {string} */ segment) => `'${segment}'`).join(' ')
const script = `
.bail on
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
${tables}
ALTER TABLE requests ADD COLUMN labels TEXT;
CREATE TEMP TABLE lines (line TEXT);
.mode ascii
.separator "\\037" "\\n"
.import "|cat ${files}" lines
BEGIN;
INSERT INTO requests (${columns.join(', ')})
  SELECT ${columns.map((name) => `line ->> '${name}'`).join(', ')} FROM lines;
${indexes.join('\n')}
COMMIT;
PRAGMA wal_checkpoint(TRUNCATE);
SELECT count(*) FROM requests;
`
const startedAt = performance.now()
const { status, stdout, stderr } = spawnSync('sqlite3', ['-batch', path], { input: script, encoding: 'utf8' })
const elapsedMs = performance.now() - startedAt
if (status !== 0) throw new Error(`sqlite3 ended with exit code ${status}: ${stderr}`)
// Separated by what .separator said.
answer({ rows: Number(stdout.trimEnd().split(/\s/).at(-1)), elapsedMs })
