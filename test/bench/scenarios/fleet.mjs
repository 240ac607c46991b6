import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatSize } from '../harness/format.mjs'
import {
  DATABASE_BYTES,
  JOURNAL_BYTES,
  linkJournal,
  writeEvents,
  writeIdentity,
} from '../harness/journals.mjs'
import { missingPostgres, PostgresServer, SETTINGS_TEXT } from '../harness/postgres.mjs'
import { cpuSeconds, memoryMib } from '../harness/proc.mjs'
import { runCommand, runProgram, startDaemon, startProgram } from '../harness/processes.mjs'
import { distribution } from '../harness/statistics.mjs'
import { fleetDatabase, JOURNALS } from './fleet-database.mjs'
import { delaysMs } from './visible.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const LOOK_MS = 20
/** How long the server takes to note what an ended session has used. */
const REAP_MS = 300
/** Calls of `append` before the first that counts. */
const WARM_UP = 20_000
const PER_SECOND = 1000

/** Each of them is answered from other roll-ups. */
const QUESTIONS = [null, 'model', 'provider', 'policy', 'tier', 'day'].map((groupBy) =>
  groupBy === null ? {} : { groupBy },
)

/** @type {PostgresServer | null} */
let started = null
/** The rows of the journal, as COPY reads them. */
let rowsFile = ''
let eventsFile = ''
let askedAddress = ''

/** @type {import('../harness/rounds.mjs').Scenario} */
export const fleet = {
  name: 'fleet',
  measures:
    'PostgreSQL, on the same cores: projection with roll-ups and chunks, with the CPU time of the projector and of the server for an event; append → visible; `stats` of 30 days; `append` beside a projector',
  statistics: {
    rate: { label: 'events', unit: '/s', isRate: true },
    client: { label: 'client CPU', unit: 'µs' },
    server: { label: 'server CPU', unit: 'µs' },
    peak: { label: 'peak', unit: 'MiB' },
    mean: { label: 'mean', unit: 'µs' },
    p50: { label: 'p50', unit: 'ms' },
    p99: { label: 'p99', unit: 'ms' },
  },
  rounds: { full: 5, quick: 2 },

  prepare: async (context) => {
    if ((await missingPostgres()) !== null) return
    started = await PostgresServer.create(context.workspace)
    rowsFile = context.workspace.path('rows.copy')
    await makeRows(context)
    eventsFile = context.workspace.path('events.ndjson')
    const events = Math.max(appended(context) + WARM_UP, shown(context))
    await writeEvents({ path: eventsFile, events, seed: context.seed })
    askedAddress = await fleetDatabase(context, started, asked(context))
  },

  plan: (context) => {
    const stats = `stats, ${formatSize(asked(context))}`
    return {
      contenders: [
        {
          ...contender('bare COPY', 'floor', ['rate', 'server'], () => measureBareCopy(context)),
          configuration: `psql's \\copy of the same rows into the same partitions and indexes; ${SETTINGS_TEXT}`,
        },
        {
          ...contender('ours, 1 journal', 'ours', PROJECTION, (directory, checkout) =>
            measureProjection(context, { directory, checkout, journals: 1 }),
          ),
          configuration: `\`project --once\` of ${count(context).toLocaleString('en-US')} events`,
          floor: 'bare COPY',
        },
        {
          ...contender('ours, 4 journals', 'ours', PROJECTION, (directory, checkout) =>
            measureProjection(context, { directory, checkout, journals: 4 }),
          ),
          configuration: 'four of the same at once, each of a journal of its own',
        },
        {
          ...contender('visible, 1,000/s', 'ours', ['p50', 'p99'], (directory, checkout) =>
            measureVisible(context, directory, checkout),
          ),
          configuration: `from the return of append to the row, ${shown(context) / PER_SECOND} s`,
        },
        {
          ...contender(stats, 'ours', ['p50', 'p99'], (_, checkout) => measureStats(context, checkout, {})),
          configuration: `the whole, by model, provider, policy, tier and day, of ${JOURNALS} journals, in one process`,
        },
        {
          ...contender(`${stats}, percentiles`, 'ours', ['p50', 'p99'], (_, checkout) =>
            measureStats(context, checkout, { percentiles: true }),
          ),
          configuration: 'the same with percentiles of the latency',
        },
        ...['SQLite', 'PostgreSQL'].map((store) => ({
          ...contender(`append beside ${store}`, 'ours', ['mean'], (directory, checkout) =>
            measureAppend(directory, checkout, store === 'PostgreSQL'),
          ),
          configuration: `each call timed, with a projector into ${store} at work on the journal`,
        })),
      ],
      targets: [
        target('ours, 1 journal', 'rate', '≥', 40_000),
        { ...target('ours, 1 journal', 'rate', '≥', 0.5), against: 'bare COPY' },
        { ...target('ours, 4 journals', 'rate', '≥', 1.2), against: 'ours, 1 journal' },
        target('ours, 1 journal', 'peak', '≤', 150),
        target('visible, 1,000/s', 'p50', '≤', 20),
        target('visible, 1,000/s', 'p99', '≤', 100),
        target(stats, 'p99', '≤', 50),
        { ...target('append beside PostgreSQL', 'mean', '≤', 1.05), against: 'append beside SQLite' },
      ],
      diskBytes: (asked(context) + 6 * count(context)) * (JOURNAL_BYTES + 2 * DATABASE_BYTES),
    }
  },
}

const PROJECTION = ['rate', 'client', 'server', 'peak']

/**
 * @param {string} name
 * @param {'ours' | 'floor'} role
 * @param {string[]} statistics
 * @param {import('../harness/rounds.mjs').Contender['measure']} measure
 */
function contender(name, role, statistics, measure) {
  return { name, role, statistics, missing: missingPostgres, measure }
}

/**
 * @param {string} contender
 * @param {string} statistic
 * @param {'≤' | '≥'} relation
 * @param {number} limit
 * @returns {import('../harness/targets.mjs').Target}
 */
function target(contender, statistic, relation, limit) {
  return { contender, statistic, relation, limit }
}

/** @param {Context} context */
function count({ events, isQuick }) {
  return events ?? (isQuick ? 50_000 : 400_000)
}

/** How many rows are asked. @param {Context} context */
function asked({ isQuick }) {
  return isQuick ? 1_000_000 : 10_000_000
}

/** How many events are appended beside a projector. @param {Context} context */
function appended({ isQuick }) {
  return isQuick ? 50_000 : 300_000
}

/** How many events are seen. @param {Context} context */
function shown({ isQuick }) {
  return PER_SECOND * (isQuick ? 3 : 10)
}

/** As dense as ten million in thirty days. @param {Context} context */
function generated(context) {
  return context.journals.generated(
    count(context),
    Math.max(1, Math.round((count(context) * 30) / 10_000_000)),
  )
}

function server() {
  if (started === null) throw new Error('the server was not made')
  return started
}

/**
 * Does something with an empty database, which goes afterwards.
 *
 * @template T
 * @param {string} checkout
 * @param {(address: string) => Promise<T>} action
 */
async function withDatabase(checkout, action) {
  const address = await server().createDatabase()
  await runCommand(checkout, ['migrate', '--db', address])
  try {
    return await action(address)
  } finally {
    await server().dropDatabase(address)
  }
}

/** @param {Context} context */
async function makeRows(context) {
  const { directory } = await generated(context)
  const [checkout = ''] = context.checkouts
  await withDatabase(checkout, async (address) => {
    await runCommand(checkout, ['project', '--once', '--journal', directory, '--db', address])
    await server().ask(
      address,
      `\\copy (SELECT * FROM request_journal.requests ORDER BY id) TO '${rowsFile}'`,
    )
  })
}

/** @param {Context} context */
async function measureBareCopy(context) {
  const [checkout = ''] = context.checkouts
  return await withDatabase(checkout, async (address) => {
    // Its month, which `migrate` hasn't made: it is past.
    await server().ask(address, `SELECT request_journal.make_requests_partition('2025-10-01'); CHECKPOINT`)
    const { seconds, serverSeconds } = await timed(() =>
      server().ask(address, `\\copy request_journal.requests FROM '${rowsFile}'`),
    )
    return { rate: count(context) / seconds, server: (serverSeconds / count(context)) * 1e6 }
  })
}

/** @param {() => Promise<unknown>} action */
async function timed(action) {
  const [before, startedAt] = [server().cpuSeconds(), performance.now()]
  await action()
  const seconds = (performance.now() - startedAt) / 1000
  await sleep(REAP_MS)
  return { seconds, serverSeconds: server().cpuSeconds() - before }
}

/**
 * @param {Context} context
 * @param {{ directory: string, checkout: string, journals: number }} what
 */
async function measureProjection(context, { directory, checkout, journals }) {
  const made = await generated(context)
  const folders = Array.from({ length: journals }, (_, index) => join(directory, `journal-${index}`))
  for (const folder of folders) {
    linkJournal(made, folder)
    rmSync(join(folder, 'journal.json'))
    writeIdentity(folder, randomUUID())
  }
  return await withDatabase(checkout, async (address) => {
    /** @type {Awaited<ReturnType<typeof project>>[]} */
    let ends = []
    const { serverSeconds } = await timed(async () => {
      ends = await Promise.all(folders.map((folder) => project(checkout, folder, address)))
    })
    const events = journals * count(context)
    const projected = ends.reduce((sum, end) => sum + end.projected, 0)
    if (projected !== events) throw new Error(`${projected} of ${events} events came into the database`)
    return {
      // They start at once, as good as.
      rate: events / Math.max(...ends.map(({ seconds }) => seconds)),
      client: (ends.reduce((sum, end) => sum + end.cpu, 0) / events) * 1e6,
      server: (serverSeconds / events) * 1e6,
      peak: Math.max(...ends.map(({ peak }) => peak)),
    }
  })
}

/**
 * Projects a journal by the command, which is looked at while it runs: the kernel keeps nothing of a process that ended.
 *
 * @param {string} checkout
 * @param {string} journal
 * @param {string} address
 */
async function project(checkout, journal, address) {
  let [peak, cpu, isRunning] = [0, 0, true]
  const parameters = ['project', '--once', '--journal', journal, '--db', address, '--json']
  const end = runCommand(checkout, parameters, {
    onStart: async ({ pid }) => {
      while (isRunning) {
        try {
          peak = memoryMib(Number(pid)).peak
          cpu = cpuSeconds(Number(pid))
        } catch {
          // It has just ended.
        }
        await sleep(LOOK_MS)
      }
    },
  })
  try {
    const { projected, elapsed_ms } = JSON.parse(await end)
    return { projected: Number(projected), seconds: elapsed_ms / 1000, peak, cpu }
  } finally {
    isRunning = false
  }
}

/**
 * @param {Context} context
 * @param {string} directory
 * @param {string} checkout
 */
async function measureVisible(context, directory, checkout) {
  return await withDatabase(checkout, async (database) => {
    const journal = join(directory, 'journal')
    writeIdentity(journal)
    const daemon = await startDaemon(checkout, journal, database)
    const events = { count: shown(context), perSecond: PER_SECOND, eventsFile }
    const writer = await startProgram('latency-writer', { caller: 'ours', checkout, directory, ...events })
    const observer = await startProgram('observe-postgres', { database, count: shown(context) })
    observer.go()
    writer.go()
    const [{ appendedNs }, { sightings }] = await Promise.all([writer.result(), observer.result()])
    await daemon.stop()
    const { p50, p99 } = distribution(delaysMs(appendedNs, sightings))
    return { p50, p99 }
  })
}

/**
 * @param {Context} context
 * @param {string} checkout
 * @param {{ percentiles?: boolean }} options
 */
async function measureStats({ isQuick }, checkout, options) {
  await server().ensure()
  const questions = QUESTIONS.map((question) => ({ ...question, ...options }))
  const { p50, p99 } = await runProgram('stats', {
    checkout,
    database: askedAddress,
    questions,
    times: isQuick ? 10 : 40,
    warmUp: 2,
  })
  return { p50, p99 }
}

/**
 * @param {string} directory
 * @param {string} checkout
 * @param {boolean} isPostgres
 */
async function measureAppend(directory, checkout, isPostgres) {
  /** @param {string} database */
  const measure = async (database) => {
    const configuration = { checkout, caller: 'ours', directory, eventsFile, warmUp: WARM_UP }
    const program = await startProgram('append', configuration)
    const daemon = await startDaemon(checkout, join(directory, 'journal'), database)
    program.go()
    const { mean } = await program.result()
    await daemon.stop()
    return { mean }
  }
  return isPostgres ? await withDatabase(checkout, measure) : await measure(join(directory, 'requests.db'))
}
