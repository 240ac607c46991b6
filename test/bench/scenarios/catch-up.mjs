import { join } from 'node:path'
import { OWN_CHECKOUT } from '../harness/checkouts.mjs'
import { formatSize } from '../harness/format.mjs'
import { DATABASE_BYTES, JOURNAL_BYTES, journalFiles, linkJournal } from '../harness/journals.mjs'
import { runProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

/** How many times the backlog the database holds already. */
const TIMES = 3

/** @type {import('../harness/journals.mjs').JournalFiles | null} */
let backlog = null

/** @type {import('../harness/rounds.mjs').Scenario} */
export const catchUp = {
  name: 'catch-up',
  measures:
    'events a second until a backlog is in the database: an empty one, and one that holds three times as many',
  statistics: { rate: { label: 'events', unit: '/s', isRate: true } },
  rounds: { full: 3, quick: 2 },

  prepare: async (context) => {
    const directory = context.workspace.path('backlog')
    await runProgram('make-journal', {
      directory,
      events: count(context),
      days: 1,
      seed: context.seed + 1,
      today: true,
    })
    backlog = journalFiles(directory, count(context))
    for (const checkout of context.checkouts) {
      await context.journals.database(checkout, TIMES * count(context))
    }
  },

  plan: (context) => {
    const events = count(context)
    const [empty, full] = ['into empty', `into ${formatSize(TIMES * events)}`]
    const ours = 'projectOnce, of one segment of today'
    const naive =
      'better-sqlite3, WAL, its other pragmas as they are, 1 MiB of lines a transaction, JSON.parse, a prepared insert a row, no checksums, no position'
    return {
      contenders: [
        contender(`ours, ${empty}`, 'ours', ours, (directory, checkout) =>
          measureOurs(directory, { checkout }),
        ),
        contender(`ours, ${full}`, 'ours', ours, (directory, checkout) =>
          measureOurs(directory, { checkout, into: context }),
        ),
        contender(`naive, ${empty}`, 'peer', naive, (directory) => measureNaive(directory)),
        contender(`naive, ${full}`, 'peer', naive, (directory) => measureNaive(directory, context)),
      ],
      targets: [
        {
          contender: `ours, ${full}`,
          statistic: 'rate',
          relation: '≥',
          limit: 0.5,
          against: `ours, ${empty}`,
        },
        {
          contender: `ours, ${full}`,
          statistic: 'rate',
          relation: '≥',
          limit: 2.5,
          against: `naive, ${full}`,
        },
      ],
      diskBytes:
        events * (TIMES + 1) * JOURNAL_BYTES +
        events * (TIMES * context.checkouts.length + TIMES + 3) * DATABASE_BYTES,
    }
  },
}

/** @param {Context} context */
function count({ events, isQuick }) {
  return events ?? (isQuick ? 50_000 : 1_000_000)
}

/**
 * @param {string} name
 * @param {'ours' | 'peer'} role
 * @param {string} configuration
 * @param {import('../harness/rounds.mjs').Contender['measure']} measure
 * @returns {import('../harness/rounds.mjs').Contender}
 */
function contender(name, role, configuration, measure) {
  return { name, role, configuration, statistics: ['rate'], measure }
}

/**
 * @param {string} directory
 * @param {{ checkout: string, into?: Context }} options `into`: the database isn't empty
 */
async function measureOurs(directory, { checkout, into }) {
  const files = backlogFiles()
  const journal = join(directory, 'journal')
  const database = join(directory, 'requests.db')
  if (into !== undefined) {
    linkJournal(await into.journals.generated(TIMES * files.events), journal)
    await copyBase(into, checkout, database)
  }
  linkJournal(files, journal)
  return rate(await runProgram('project-once', { checkout, journal, database }))
}

/**
 * @param {string} directory
 * @param {Context} [into] where the database isn't empty
 */
async function measureNaive(directory, into) {
  const [segment] = backlogFiles().segments
  const database = join(directory, 'requests.db')
  if (into !== undefined) await copyBase(into, OWN_CHECKOUT, database)
  return rate(await runProgram('naive-catch-up', { segment, database }))
}

/** @param {{ rows: number, elapsedMs: number }} result */
function rate({ rows, elapsedMs }) {
  const { events } = backlogFiles()
  if (rows !== events) throw new Error(`${rows} of ${events} events came into the database`)
  return { rate: (rows / elapsedMs) * 1000 }
}

/**
 * @param {Context} context
 * @param {string} checkout
 * @param {string} to
 */
async function copyBase(context, checkout, to) {
  const from = await context.journals.database(checkout, TIMES * count(context))
  await runProgram('copy-database', { from, to })
}

function backlogFiles() {
  if (backlog === null) throw new Error('the backlog was not made')
  return backlog
}
