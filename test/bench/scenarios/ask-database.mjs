import { join } from 'node:path'
import { DATABASE_BYTES, JOURNAL_BYTES } from '../harness/journals.mjs'
import { runCommand, runProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

export const DAYS = 31

/** @type {Promise<string> | null} */
let madeJournal = null

/** By checkout. @type {Map<string, Promise<{ journal: string, database: string }>>} */
const made = new Map()

/**
 * A database with 31 days up to the end of today, made by a checkout's program, for all scenarios that ask one; made
 * when it is first asked for.
 *
 * @param {Context} context
 * @param {string} checkout
 */
export function askedDatabase(context, checkout) {
  const known = made.get(checkout) ?? make(context, checkout)
  made.set(checkout, known)
  return known
}

/**
 * What the journal takes, and the databases while the last of them is made.
 *
 * @param {Context} context
 */
export function askedBytes(context) {
  return eventsOf(context) * (JOURNAL_BYTES + (context.checkouts.length + 1.5) * DATABASE_BYTES)
}

/** @param {Context} context */
function eventsOf({ events, isQuick }) {
  return events ?? (isQuick ? 200_000 : 10_000_000)
}

/**
 * @param {Context} context
 * @param {string} checkout
 */
async function make(context, checkout) {
  madeJournal ??= makeJournal(context)
  const journal = await madeJournal
  context.progress(`projecting them for the program in ${checkout}`)
  const database = join(context.workspace.path('asked'), 'requests.db')
  await runCommand(checkout, ['replay', '--journal', journal, '--db', database])
  return { journal, database }
}

/** @param {Context} context */
async function makeJournal(context) {
  const [directory, events] = [context.workspace.path('journal'), eventsOf(context)]
  context.progress(`making ${events.toLocaleString('en-US')} events of ${DAYS} days up to today`)
  await runProgram('make-journal', { directory, events, seed: context.seed, days: DAYS, untilToday: true })
  return directory
}
