import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeEvents, writeIdentity } from '../harness/journals.mjs'
import { runProgram, startDaemon, startProgram } from '../harness/processes.mjs'
import { distribution } from '../harness/statistics.mjs'

/**
 * @typedef {import('../harness/rounds.mjs').Context} Context
 * @typedef {{ name: string, count: number, perSecond?: number, burst?: { events: number, spacingMs: number, pauseMs: number } }} Load
 */

const RATES = [10, 100, 1000, 10_000]
const STATISTICS = ['p50', 'p99', 'max']
/** 2 ms apart: where a watcher that only reports the first change of 50 ms misses the last one. */
const BURST = { events: 20, spacingMs: 2, pauseMs: 700 }

/** @type {string | null} */
let eventsFile = null

/** @type {import('../harness/rounds.mjs').Scenario} */
export const visible = {
  name: 'visible',
  measures:
    'from the return of `append` to the row in SQL, seen by a reader of its own: at steady rates, and of the last event of a burst',
  statistics: {
    p50: { label: 'p50', unit: 'ms' },
    p99: { label: 'p99', unit: 'ms' },
    max: { label: 'max', unit: 'ms', isOneCall: true },
  },
  rounds: { full: 3, quick: 1 },

  prepare: async (context) => {
    eventsFile = context.workspace.path('events.ndjson')
    const most = Math.max(...loads(context).map((load) => load.count))
    await writeEvents({ path: eventsFile, events: most, seed: context.seed })
  },

  plan: (context) => ({
    contenders: [
      {
        name: 'fdatasync',
        role: 'reference',
        configuration: 'one line appended, one fdatasync, 200 times: what the disk of this run takes',
        statistics: STATISTICS,
        measure: (directory) => runProgram('fdatasync', { directory, times: 200 }),
      },
      ...loads(context).flatMap((load) => [contender('floor', load), contender('ours', load)]),
    ],
    targets: loads(context).flatMap((load) => {
      const contender = `ours, ${load.name}`
      if (load.burst !== undefined) return [target(contender, 'max', 100)]
      const plus = { contender: 'fdatasync', statistic: 'p50' }
      return [
        { ...target(contender, 'p50', 10), plus },
        { ...target(contender, 'p99', 50), plus },
      ]
    }),
    diskBytes: 200_000_000,
  }),
}

/**
 * @param {Context} context
 * @returns {Load[]}
 */
function loads({ isQuick }) {
  const seconds = isQuick ? 3 : 10
  return [
    ...RATES.map((perSecond) => ({
      name: `${perSecond.toLocaleString('en-US')}/s`,
      // Enough for a p99, also at the least rate.
      count: Math.max(perSecond * seconds, isQuick ? 30 : 200),
      perSecond,
    })),
    { name: 'bursts', count: BURST.events * (isQuick ? 4 : 20), burst: BURST },
  ]
}

/**
 * @param {'ours' | 'floor'} role
 * @param {Load} load
 * @returns {import('../harness/rounds.mjs').Contender}
 */
function contender(role, load) {
  const how =
    role === 'ours'
      ? '`request-journal project` as a process of its own'
      : 'fs.watch, JSON.parse, one transaction of what is new, WAL, NORMAL, nothing synced'
  const what =
    load.burst === undefined
      ? `${load.name} for ${Math.round(load.count / Number(load.perSecond))} s`
      : `bursts of ${load.burst.events} events ${load.burst.spacingMs} ms apart, the last one of each`
  return {
    name: `${role}, ${load.name}`,
    role,
    configuration: `${how}; ${what}`,
    ...(role === 'ours' ? { floor: `floor, ${load.name}` } : {}),
    statistics: STATISTICS,
    measure: (directory, checkout) => measure({ role, checkout }, directory, load),
  }
}

/**
 * @param {string} contender
 * @param {string} statistic
 * @param {number} limit
 * @returns {import('../harness/targets.mjs').Target}
 */
function target(contender, statistic, limit) {
  return { contender, statistic, relation: '≤', limit }
}

/**
 * @param {{ role: 'ours' | 'floor', checkout: string }} who
 * @param {string} directory
 * @param {Load} load
 */
async function measure({ role, checkout }, directory, load) {
  const database = join(directory, 'requests.db')
  const projector =
    role === 'ours' ? await startOurs(checkout, directory, database) : await startFloor(directory, database)
  const { count, perSecond, burst } = load
  const writer = await startProgram('latency-writer', {
    caller: role,
    checkout,
    directory,
    eventsFile,
    count,
    perSecond,
    burst,
  })
  const observer = await startProgram('latency-observer', { database, count })
  observer.go()
  writer.go()
  const [{ appendedNs }, { sightings }] = await Promise.all([writer.result(), observer.result()])
  await projector.stop()
  const delays = delaysMs(appendedNs, sightings)
  const counted =
    burst === undefined ? delays : delays.filter((_, index) => index % burst.events === burst.events - 1)
  const { p50, p99, max } = distribution(counted)
  return { p50, p99, max }
}

/**
 * @param {string} checkout
 * @param {string} directory
 * @param {string} database
 */
async function startOurs(checkout, directory, database) {
  const journal = join(directory, 'journal')
  writeIdentity(journal)
  return await startDaemon(checkout, journal, database)
}

/**
 * @param {string} directory
 * @param {string} database
 */
async function startFloor(directory, database) {
  const segment = join(directory, 'journal', 'floor.ndjson')
  mkdirSync(join(directory, 'journal'))
  writeFileSync(segment, '', { mode: 0o600 })
  const program = await startProgram('watch-and-insert', { segment, database })
  return { stop: async () => void (await program.result()) }
}

/**
 * One writer, and a database that is empty or whose rows aren't counted: the n-th event is the row with the id n, and is there at the first sighting of an
 * id that isn't smaller.
 *
 * @param {readonly number[]} appendedNs
 * @param {readonly [number, number][]} sightings
 */
export function delaysMs(appendedNs, sightings) {
  let seen = 0
  return Float64Array.from(appendedNs, (appended, index) => {
    while (Number(sightings[seen]?.[0]) < index + 1) seen++
    // A row may be seen while append is still on its way back to the caller.
    return Math.max(0, (Number(sightings[seen]?.[1]) - appended) / 1e6)
  })
}
