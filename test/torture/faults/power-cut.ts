import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Journal, openJournalWith } from '../../../src/journal/append/journal.js'
import { projectOnce, replay } from '../../../src/projection/index.js'
import type { Fault, Place, Round, Verdict } from '../fault.js'
import { judge, query } from '../judge.js'
import { Disk, Recording, type Survival } from '../power.js'
import type { Random } from '../random.js'
import { withoutSyncs } from '../without-syncs.js'

const EVE = Date.parse('2026-11-22T23:59:00Z')
const silent = { warn() {}, error() {} }

const SURVIVALS: Survival[] = ['synced only', 'everything', 'any prefix', 'any prefix, then zeros']

export const powerCut: Fault = {
  name: 'power-cut',
  title: 'power cut (a model: what was synced survives, and any prefix of the rest)',
  run: async (round) => {
    await round.trial('a history', (place) => historyTrial(place, round))
  },
}

/** @param options.forgetsSyncs a fault of the disk, which the trial has to notice. */
export async function historyTrial(
  place: Place,
  round: Round,
  { forgetsSyncs = false } = {},
): Promise<Verdict[]> {
  const root = join(place.directory, 'root')
  mkdirSync(root)
  const recording = new Recording(root)
  try {
    await makeHistory(recording, root, round.random)
  } finally {
    recording.stop()
  }
  if (forgetsSyncs) {
    const kept = recording.steps.filter(({ kind }) => kind !== 'sync')
    recording.steps.splice(0, recording.steps.length, ...kept)
  }
  return cutEverywhere(place, recording, round)
}

/** Two writers over a midnight, flushes, and a projector that looks now and then: a minute in fifty steps. */
async function makeHistory(recording: Recording, root: string, random: Random): Promise<void> {
  const paths = { journal: join(root, 'journal'), database: join(`${root}.live`, 'requests.db') }
  const clock = { time: EVE, now: () => clock.time }
  const open = () =>
    openJournalWith(
      { directory: paths.journal, logger: silent, fsync: 'no' },
      { fs: recording.fileSystem, clock },
    )
  const writers = [open(), open()].map((journal, i) => ({ name: `w${i}`, journal, ids: [] as string[] }))
  for (let i = 0; i < 50; i++) {
    clock.time += random.between(0, 4000)
    const writer = random.pick(writers)
    const what = random.fraction()
    if (what < 0.65) {
      const id = `${writer.name}-${i}`
      appendAll(writer.journal, id, random)
      writer.ids.push(id)
    } else if (what < 0.8) {
      await writer.journal.flush()
      recording.steps.push({ kind: 'flushed', ids: writer.ids.splice(0) })
    } else if (what < 0.97) await projectOnce(paths)
    else await replay(paths)
  }
  for (const { journal } of writers) await journal.close()
}

function appendAll(journal: Journal, correlation_id: string, random: Random): void {
  const tokens = { input_tokens: random.between(1, 99), output_tokens: random.between(0, 99) }
  journal.append({ correlation_id, model: 'm', policy: 'p', latency_ms: 1, success: true, ...tokens })
  if (random.chance(0.7)) return
  journal.append({
    type: 'stream_completed',
    correlation_id,
    ...tokens,
    cost_sats: null,
    provider_cost_sats: null,
    stream_duration_ms: 3,
    success: true,
    error_status: null,
    error_message: null,
  })
}

async function cutEverywhere(place: Place, recording: Recording, round: Round): Promise<Verdict[]> {
  const { random } = round
  const verdicts: Verdict[] = []
  let n = 0
  for (let count = 1; count <= recording.steps.length; count++) {
    const disk = new Disk(recording, count)
    for (const survival of SURVIVALS) {
      for (const database of [null, ...disk.databases].reverse()) {
        // The newest state is what runs ahead, if any does: always. The older ones now and then.
        const isNewest = database === (disk.databases.at(-1) ?? null)
        if (!random.chance(isNewest ? 1 : 0.15)) continue
        // The hardest cut is the one that takes everything that may be taken.
        if (round.isShort && !random.chance(survival === 'synced only' && isNewest ? 0.08 : 0.01)) continue
        const target = join(place.directory, `cut-${n++}`)
        mkdirSync(target)
        disk.restore(join(target, 'root'), survival, random)
        const verdict = await startAgain(target, database, disk.flushed)
        const what = (text: string) =>
          `cut behind step ${count}, ${survival}, database of ${database?.length}: ${text}`
        verdicts.push({ ...verdict, lost: verdict.lost.map(what), wrong: verdict.wrong.map(what) })
      }
    }
  }
  return verdicts
}

/** After the power is back: the positions are checked, a writer opens and appends, the projector goes on. No help. */
async function startAgain(target: string, database: Buffer | null, flushed: string[]): Promise<Verdict> {
  const paths = { journal: join(target, 'root', 'journal'), database: join(target, 'requests.db') }
  const ahead: string[] = []
  if (database !== null) {
    writeFileSync(paths.database, database)
    for (const { name, projected_bytes } of query(paths.database, 'SELECT * FROM journal_segments')) {
      const path = join(paths.journal, String(name))
      const size = existsSync(path) ? statSync(path).size : 0
      if (Number(projected_bytes) > size)
        ahead.push(`position ${projected_bytes} of ${name}, which has ${size} bytes`)
    }
  }
  try {
    const clock = { now: () => EVE + 3_600_000 }
    const options = { directory: paths.journal, logger: silent, fsync: 'no' as const }
    const journal = openJournalWith(options, { fs: withoutSyncs, clock })
    journal.append({ correlation_id: 'after', model: 'm', latency_ms: 1, success: true })
    await journal.close()
    const verdict = await judge(paths, [...flushed, 'after'])
    return { ...verdict, wrong: [...ahead, ...verdict.wrong] }
  } catch (error) {
    return { lost: [], doubled: [], wrong: [...ahead, `it does not start: ${(error as Error).message}`] }
  }
}
