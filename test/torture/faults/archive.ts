import { closeSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { projectOnce, replay } from '../../../src/projection/index.js'
import { writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import type { Fault, Place, Round, Verdict } from '../fault.js'
import { compareNow, contentsOf, query } from '../judge.js'
import { command, startDaemon } from '../program.js'

const DAYS = ['2026-01-01', '2026-01-02', '2026-01-03', '2026-01-04']
const LAST = '2026-01-05'
/** Days before this are pruned: the first two. */
const BEFORE = '2026-01-03'

const archives = (journal: string) => readdirSync(journal).filter((name) => name.endsWith('.ndjson.gz'))

/** Four days that are over and one that writers would be on, sealed and projected. @returns the events in it. */
async function fiveDays({ journal, database }: Place, lines: number): Promise<string[]> {
  const ids: string[] = []
  for (const day of [...DAYS, LAST]) {
    let text = ''
    for (let i = 0; i < lines; i++) {
      const id = `${day}-${i}`
      ids.push(id)
      text += `${requestLine(id, { policy: 'chat', input_tokens: 9, output_tokens: i, streaming: true })}\n`
      if (i % 3 === 0)
        text += `${completionLine(id, { input_tokens: 9, output_tokens: 2 * i, success: true })}\n`
    }
    writeSegment(journal, text, `${day}.ndjson`)
  }
  await projectOnce({ journal, database })
  return ids
}

/** Runs a command again and again, killed each time at another instant, until it has ended by itself. */
async function killUntilDone(args: string[], place: Place, round: Round, kills: number): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    const running = place.keep(command(args))
    await sleep(round.random.between(60, 4000))
    await running.end('SIGKILL')
  }
  const last = place.keep(command([...args, '--json']))
  const status = await last.exited
  if (status !== 0) throw new Error(`${args[0]} ended with ${status}: ${last.stderr}${last.stdout}`)
}

async function archiveTrial(round: Round, place: Place): Promise<Verdict> {
  const { journal, database } = place
  const promised = await fiveDays(place, round.random.between(50, 3000))
  const daemon = await startDaemon(place)
  // A writer that has hung over a change of day: it holds the descriptor, and writes on while the file is archived.
  const late = openSync(join(journal, `${DAYS[round.random.between(0, 3)]}.ndjson`), 'a')
  let isWriting = true
  const writing = (async () => {
    for (let i = 0; isWriting && i < 30; i++) {
      writeSync(late, `${requestLine(`late-${i}`)}\n`)
      promised.push(`late-${i}`)
      await sleep(round.random.between(1, 80))
    }
  })()
  const kills = 4
  try {
    await killUntilDone(['archive', '--journal', journal, '--db', database], place, round, kills)
  } finally {
    isWriting = false
    await writing
    closeSync(late)
  }
  const wrong: string[] = []
  if ((await daemon.end()) !== 0) wrong.push(`the daemon did not go on: ${daemon.stderr.slice(-500)}`)
  // What came last is taken up by the next run.
  await projectOnce({ journal, database })
  await killUntilDone(['archive', '--journal', journal, '--db', database], place, round, 0)
  if (archives(journal).length !== DAYS.length) wrong.push(`archived: ${archives(journal).join(' ')}`)
  const before = compareNow(place, promised)
  wrong.push(...(await verified(place)))
  await replay({ journal, database })
  const after = compareNow(place, promised)
  return {
    lost: [...before.lost, ...after.lost],
    doubled: [...before.doubled, ...after.doubled],
    wrong: [...wrong, ...before.wrong, ...after.wrong],
  }
}

async function pruneTrial(round: Round, place: Place): Promise<Verdict> {
  const { journal, database } = place
  const promised = await fiveDays(place, round.random.between(50, 3000))
  await killUntilDone(['archive', '--journal', journal, '--db', database], place, round, 0)
  const args = ['prune', '--before', BEFORE, '--journal', journal, '--db', database]
  await killUntilDone(args, place, round, 4)
  const wrong = await verified(place)
  if (archives(journal).length !== 2) wrong.push(`archives left: ${archives(journal).join(' ')}`)
  const rows = query(database, 'SELECT correlation_id AS c FROM requests ORDER BY id').map((row) => row['c'])
  const kept = promised.filter((id) => id >= BEFORE)
  if (JSON.stringify(rows) !== JSON.stringify(kept))
    wrong.push(`${rows.length} rows, expected ${kept.length}`)
  const live = contentsOf(database)
  await replay({ journal, database })
  const replayed = contentsOf(database)
  if (replayed.some((table, i) => table !== live[i])) wrong.push('a replay gives another database')
  return { lost: [], doubled: [], wrong }
}

async function verified({ journal, database, keep }: Place): Promise<string[]> {
  const verify = keep(command(['verify', '--journal', journal, '--db', database]))
  return (await verify.exited) === 0 ? [] : [`verify: ${verify.stdout.slice(0, 500)}`]
}

/** archive, killed at any instant, beside a daemon and a late writer. */
export const archiveKilled: Fault = {
  name: 'archive',
  // There a run is ended after each of its steps; here it takes the five seconds that it gives writers to notice.
  testedIn: 'test/maintenance/archive.test.ts',
  title: '`archive` killed at random instants, a daemon and a late writer beside it',
  async run(round) {
    for (let i = 0; i < 3; i++) await round.trial('archive', (place) => archiveTrial(round, place))
  },
}

/** prune, killed at any instant. */
export const pruneKilled: Fault = {
  name: 'prune',
  testedIn: 'test/maintenance/prune.test.ts',
  title: '`prune` killed at random instants',
  async run(round) {
    for (let i = 0; i < 3; i++) await round.trial('prune', (place) => pruneTrial(round, place))
  },
}
