import { copyFileSync, existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import { projectOnce } from '../../../src/projection/index.js'
import { isWorthBulk } from '../../../src/store/sqlite/bulk-schema.js'
import { readPositions } from '../../../src/store/sqlite/segment-queries.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { combined, type Fault, type Place, type Round, survived, type Verdict, wrong } from '../fault.js'
import { countRows, judge, query, until } from '../judge.js'
import { command, type Program, startDaemon } from '../program.js'
import { onSmallDisk, whyNoMount } from './disk.js'
import { gone } from './processes.js'

const BEFORE = { day: '2026-01-01', requests: 20_000 }
/** With their padding more than the 64 MiB from which on a backlog is brought in at once. */
const BACKLOG_DAYS = ['2026-01-02', '2026-01-03', '2026-01-04']
const BACKLOG_REQUESTS = 8000
/** In a field that no column keeps: the journal is large, and the database is not. */
const PADDING = 'x'.repeat(3000)
const KILLS = 6

interface Loaded {
  promised: string[]
  indexes: string
}

const paths = ({ journal, database }: { journal: string; database: string }) => [
  '--journal',
  journal,
  '--db',
  database,
]

const indexes = (database: string) =>
  JSON.stringify(query(database, "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"))

/**
 * A large table, and a backlog beside which keeping its index up to date doesn't pay. Its completions meet requests from
 * before it, of its own, that come later, and none.
 */
async function load(place: { journal: string; database: string }): Promise<Loaded> {
  const promised: string[] = []
  const request = (id: string, fields: object) => {
    promised.push(id)
    return requestLine(id, { policy: 'p', streaming: true, input_tokens: 3, ...fields })
  }
  const end = (id: string) => completionLine(id, { input_tokens: 3, output_tokens: 7, success: true })
  const { day, requests } = BEFORE
  writeSegment(
    place.journal,
    lines(
      ...Array.from({ length: requests }, (_, i) => request(`${day}-${i}`, {})),
      end('held'),
      end('nobody'),
    ),
    `${day}.ndjson`,
  )
  await projectOnce(place)
  for (const [n, day] of BACKLOG_DAYS.entries()) {
    const text = lines(
      end(`${BEFORE.day}-${n}`),
      end(`${day}-5`),
      ...Array.from({ length: BACKLOG_REQUESTS }, (_, i) => request(`${day}-${i}`, { padding: PADDING })),
      ...Array.from({ length: BACKLOG_REQUESTS / 4 }, (_, i) => end(`${day}-${i * 2}`)),
      n === 1 ? request('held', {}) : 'garbage',
    )
    writeSegment(place.journal, text, `${day}.ndjson`)
  }
  assertBulk(place)
  return { promised, indexes: indexes(place.database) }
}

/** Otherwise this tests nothing. */
function assertBulk({ journal, database }: { journal: string; database: string }): void {
  const connection = new SQLite(database, { readonly: true })
  const sizes = BACKLOG_DAYS.map((day) => statSync(join(journal, `${day}.ndjson`)).size)
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  const isBulk = bytes > 64 * 1024 * 1024 && isWorthBulk(connection, bytes, readPositions(connection))
  connection.close()
  if (!isBulk) throw new Error(`${bytes} bytes are no backlog that is brought in at once`)
}

/** It comes in one transaction: what anybody ever sees is all of it or nothing, and every index. */
function state(place: { database: string }, loaded: Loaded): Verdict {
  const rows = countRows(place.database)
  if (rows !== BEFORE.requests && rows !== loaded.promised.length) return wrong(`${rows} rows: a part of it`)
  if (indexes(place.database) !== loaded.indexes) return wrong('an index is gone, or another one')
  const [check] = query(place.database, 'PRAGMA integrity_check')
  return check?.['integrity_check'] === 'ok' ? survived() : wrong(`integrity_check: ${JSON.stringify(check)}`)
}

/** A daemon brings in what is left. */
async function goOn(place: Place, loaded: Loaded, daemon: Program): Promise<Verdict> {
  await until(() => countRows(place.database) === loaded.promised.length, gone(daemon))
  const atEnd = state(place, loaded)
  await daemon.end()
  return combined(atEnd, await judge(place, loaded.promised, { withReplay: true }))
}

async function killed(place: Place, round: Round): Promise<Verdict[]> {
  const loaded = await load(place)
  const whole = { ...place, database: join(place.directory, 'whole.db') }
  copyFileSync(place.database, whole.database)
  const unkilled = place.keep(command(['project', '--once', '--json', ...paths(whole)]))
  if ((await unkilled.exited) !== 0) return [wrong(`it failed: ${unkilled.stderr}`)]
  const { elapsed_ms } = JSON.parse(unkilled.lines.at(-1) ?? '') as { elapsed_ms: number }
  const verdicts: Verdict[] = []
  for (let i = 0; i < KILLS && countRows(place.database) === BEFORE.requests; i++) {
    rmSync(`${place.database}.pid`, { force: true })
    const projecting = place.keep(command(['project', '--once', ...paths(place)]))
    // Written once it has the lock: from here on it works on the database.
    await until(() => existsSync(`${place.database}.pid`), gone(projecting), 1)
    await sleep(round.random.fraction() * elapsed_ms)
    await projecting.end('SIGKILL')
    verdicts.push(state(place, loaded))
  }
  return [...verdicts, await goOn(place, loaded, await startDaemon(place))]
}

const REFUSES = /be written to for now/

async function locked(place: Place, round: Round): Promise<Verdict> {
  const loaded = await load(place)
  const other = new SQLite(place.database)
  other.exec('BEGIN IMMEDIATE')
  const daemon = await startDaemon(place)
  await daemon.until(() => REFUSES.test(daemon.stderr), 'it warns')
  await sleep(round.random.between(0, 500))
  other.exec('ROLLBACK')
  other.close()
  return goOn(place, loaded, daemon)
}

async function onFullDisk(place: Place, round: Round): Promise<Verdict> {
  return onSmallDisk(place, 64, async (disk) => {
    const there = { ...place, database: join(disk.directory, 'requests.db') }
    const loaded = await load(there)
    // Its rows take about 5 MiB.
    disk.fill(round.random.between(20, 800) * 4096)
    const daemon = await startDaemon(there)
    await daemon.until(() => REFUSES.test(daemon.stderr), 'it warns')
    const whileFull = countRows(there.database)
    disk.free()
    const verdict = await goOn(there, loaded, daemon)
    if (whileFull !== BEFORE.requests) verdict.wrong.push(`${whileFull} rows on the full disk`)
    return verdict
  })
}

export const bulk: Fault = {
  name: 'bulk',
  title: 'a backlog that is brought in at once: killed, locked out, its disk full (tmpfs)',
  // There with backlogs of another size: one that this is done for takes some seconds each time.
  testedIn: 'test/crash/bulk.test.ts',
  run: async (round) => {
    await round.trial('killed', (place) => killed(place, round))
    await round.trial('locked out', (place) => locked(place, round))
    if (whyNoMount() === null) await round.trial('on a full disk', (place) => onFullDisk(place, round))
  },
}
