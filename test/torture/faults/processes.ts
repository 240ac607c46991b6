import { existsSync, rmSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import SQLite from 'better-sqlite3'
import { openJournal } from '../../../src/journal/append/journal.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { combined, type Fault, type Place, survived, type Verdict, wrong } from '../fault.js'
import { compareNow, contentsOf, countRows, judge, query, until } from '../judge.js'
import { command, type Program, script, startDaemon } from '../program.js'

export const fullSpeed: Fault = {
  name: 'full-speed',
  title: '8 writer processes at full speed, one projector, the day rolling in between',
  run: async (round) => {
    const count = round.isShort ? 200 : round.random.between(2000, 20_000)
    const writerCount = round.isShort ? 4 : 8
    await round.trial(`${writerCount} × ${count} events`, async (place) => {
      const midnight = Date.parse('2026-11-23T00:00:00Z')
      const daemon = await startDaemon(place)
      const names = Array.from({ length: writerCount }, (_, i) => `w${i}`)
      const args = (name: string) => [place.journal, name, String(count), String(midnight)]
      const writers = names.map((name) => place.keep(script('day-writer.mjs', args(name))))
      await Promise.all(writers.map((writer) => writer.said(/open/, 'stdout')))
      for (const writer of writers) writer.process.stdin?.write('go\n')
      await Promise.all(writers.map((writer) => writer.exited))
      const failed = writers.filter((writer) => !writer.lines.includes('done'))
      if (failed.length > 0) return wrong(`a writer failed: ${failed[0]?.stderr}`)
      await until(() => countRows(place.database) >= writerCount * count, gone(daemon))
      await daemon.end()
      const promised = names.flatMap((name) => Array.from({ length: count }, (_, i) => `${name}-${i}`))
      const verdict = await judge(place, promised, { withReplay: true })
      return combined(verdict, order(place, names), sums(place, writerCount * count))
    })
  },
}

/** In the journal each writer's events stand in the order of its appends. */
function order(place: Place, names: string[]): Verdict {
  const sql = `SELECT model, correlation_id AS name FROM requests ORDER BY segment_id, byte_offset`
  const next = new Map(names.map((name) => [name, 0]))
  for (const { model, name } of query(place.database, sql)) {
    const expected = next.get(String(model)) ?? 0
    if (name !== `${model}-${expected}`)
      return wrong(`order of ${model}: found ${name}, expected ${expected}`)
    next.set(String(model), expected + 1)
  }
  return survived()
}

function sums(place: Place, events: number): Verdict {
  const [row] = query(
    place.database,
    'SELECT count(*) AS segments, sum(lines) AS lines, sum(rejected_lines) AS rejected FROM journal_segments',
  )
  const isRight = row?.['segments'] === 2 && row['lines'] === events && row['rejected'] === 0
  return isRight
    ? survived()
    : wrong(`expected 2 segments, ${events} lines, 0 rejected: ${JSON.stringify(row)}`)
}

/** For `until`: a daemon that has ended will not do it any more. */
export function gone(program: Program): () => string | null {
  return () => (program.isGone ? `the daemon ended: ${program.stderr.slice(-1000)}` : null)
}

function fill(place: Place, count: number, prefix = 'e', fields: Record<string, unknown> = {}): string[] {
  const ids = Array.from({ length: count }, (_, i) => `${prefix}-${i}`)
  writeSegment(place.journal, lines(...ids.map((id) => requestLine(id, fields))))
  return ids
}

const paths = ({ journal, database }: Place) => ['--journal', journal, '--db', database]

export const contenders: Fault = {
  name: 'contenders',
  title: 'two projectors; projector and replay; eight first openers of one database',
  run: async (round) => {
    // The refusals `npm test` has in test/store/sqlite/connection/lock.test.ts; the race of openers is here only.
    if (!round.isShort) await round.trial('two projectors, then a replay beside one', twoProjectors)
    const openerCount = round.isShort ? 3 : 8
    await round.trial(`${openerCount} first openers`, async (place) => {
      const ids = fill(place, round.isShort ? 200 : 5000)
      const openers = Array.from({ length: openerCount }, () =>
        place.keep(command(['project', '--once', '--json', ...paths(place)])),
      )
      const statuses = await Promise.all(openers.map((opener) => opener.exited))
      const unclear = openers.filter(
        (o, i) => statuses[i] !== 0 && !/is already working on this/.test(o.stderr),
      )
      const verdict = compareNow(place, ids)
      if (!statuses.includes(0)) verdict.wrong.push('none of them did the work')
      verdict.wrong.push(...unclear.map(({ stderr }) => `an opener failed: ${stderr}`))
      return verdict
    })
  },
}

async function twoProjectors(place: Place): Promise<Verdict[]> {
  const ids = fill(place, 500)
  const daemon = await startDaemon(place)
  const second = place.keep(command(['project', ...paths(place)]))
  const replay = place.keep(command(['replay', ...paths(place)]))
  const refusals = await Promise.all(
    [second, replay].map(async (other) =>
      (await other.exited) === 1 && /a projector .* is already working on this database/.test(other.stderr)
        ? survived()
        : wrong(`expected a refusal that says why: ${other.stderr}`),
    ),
  )
  ids.push(...fill(place, 100, 'more'))
  await until(() => countRows(place.database) === 600, gone(daemon))
  await daemon.end()
  return [combined(await judge(place, ids, { withReplay: true }), ...refusals)]
}

export const replayKilled: Fault = {
  name: 'replay-killed',
  title: 'replay killed at any moment',
  run: async (round) => {
    await round.trial('replays', async (place) => {
      const ids = fill(place, round.isShort ? 1000 : 40_000)
      await judge(place, ids)
      const before = contentsOf(place.database)
      const whole = place.keep(command(['replay', '--json', ...paths(place)]))
      if ((await whole.exited) !== 0) return wrong(`replay failed: ${whole.stderr}`)
      const { elapsed_ms } = JSON.parse(whole.lines.at(-1) ?? '') as { elapsed_ms: number }
      const verdicts: Verdict[] = []
      for (let i = 0; i < (round.isShort ? 1 : 12); i++) {
        rmSync(`${place.database}.pid`, { force: true })
        const replay = place.keep(command(['replay', ...paths(place)]))
        // Written once it has the lock: from here on it works on the database.
        await until(() => existsSync(`${place.database}.pid`), gone(replay), 1)
        await sleep(round.random.fraction() * elapsed_ms)
        await replay.end('SIGKILL')
        const isWhole = contentsOf(place.database).every((table, n) => table === before[n])
        verdicts.push(isWhole ? survived() : wrong(`killed replay ${i} left another database`))
      }
      // Then the journal goes on.
      ids.push(...fill(place, 10, 'after'))
      return [...verdicts, await judge(place, ids, { withReplay: true })]
    })
  },
}

export const reader: Fault = {
  name: 'reader',
  title: 'a reader that holds a transaction open under load',
  run: async (round) => {
    // A minute in the first turn of `npm run test:torture`, until the WAL has grown in `npm test`.
    const holdMs = round.extent === 'exhaustive' ? 60_000 : 3000
    await round.trial(`held for ${holdMs} ms`, async (place) => {
      const daemon = await startDaemon(place)
      const ids = fill(place, 100)
      await until(() => countRows(place.database) === ids.length, gone(daemon))
      const holder = new SQLite(place.database, { readonly: true })
      let largestWal = 0
      try {
        holder.exec('BEGIN')
        const seen = holder.prepare('SELECT count(*) AS n FROM requests').get()
        const endAt = performance.now() + holdMs
        for (let i = 0; round.isShort ? walBytes(place) < 6 * MIB : performance.now() < endAt; i++) {
          // A minute at full speed would only be a minute's worth of rows to compare.
          if (!round.isShort) await sleep(100)
          // Few rows that are long fill the WAL too.
          const load = round.isShort ? { error_message: 'x'.repeat(4000) } : {}
          ids.push(...fill(place, 500, `load-${i}`, load))
          await until(() => countRows(place.database) === ids.length, gone(daemon))
        }
        largestWal = walBytes(place)
        const still = holder.prepare('SELECT count(*) AS n FROM requests').get()
        if (JSON.stringify(seen) !== JSON.stringify(still)) return wrong('the reader saw its snapshot change')
      } finally {
        holder.close()
      }
      const shrunk = await walShrinks(place, ids, daemon)
      await daemon.end()
      const verdict = await judge(place, ids, { withReplay: true })
      if (!shrunk) verdict.wrong.push(`the WAL had ${largestWal} bytes and kept ${walBytes(place)}`)
      return verdict
    })
  },
}

const MIB = 1024 * 1024

/** With the reader gone: at most a few batches later it is what it is without one, 4 MiB and a bit. */
async function walShrinks(place: Place, ids: string[], daemon: Program): Promise<boolean> {
  for (let i = 0; i < 20; i++) {
    ids.push(...fill(place, 100, `after-${i}`))
    await until(() => countRows(place.database) === ids.length, gone(daemon))
    if (walBytes(place) <= 5 * MIB) return true
    await sleep(300)
  }
  return false
}

function walBytes({ database }: Place): number {
  return statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0
}

const KINDS = ['mute', 'ENOSPC']

export const watcher: Fault = {
  name: 'watcher',
  title: 'the watcher never fires, or fails with ENOSPC',
  run: async (round) => {
    const hook = fileURLToPath(new URL('../processes/mute-watcher.mjs', import.meta.url))
    for (const kind of round.isShort ? [round.random.pick(KINDS)] : KINDS) {
      await round.trial(kind, async (place) => {
        const journal = openJournal({ directory: place.journal })
        const env = { NODE_OPTIONS: `--import=${hook}`, TORTURE_WATCHER: kind }
        const daemon = await startDaemon(place, env)
        const ids: string[] = []
        const lags: number[] = []
        for (let i = 0; i < (round.isShort ? 2 : 10); i++) {
          await sleep(round.random.between(0, 1200))
          const appendedAt = performance.now()
          ids.push(journal.record({ correlation_id: `e-${i}`, model: 'm', latency_ms: 1, success: true }))
          await until(() => countRows(place.database) === ids.length, gone(daemon))
          lags.push(performance.now() - appendedAt)
        }
        await daemon.end()
        await journal.close()
        const verdict = await judge(place, ids)
        // The poll is once a second; the rest is for a machine that is busy with other things.
        if (Math.min(...lags) > 1500) verdict.wrong.push(`lags of ${lags.map(Math.round)} ms`)
        if (kind === 'ENOSPC' && !/watcher failed/.test(daemon.stderr)) verdict.wrong.push('nothing was said')
        return verdict
      })
    }
  },
}
