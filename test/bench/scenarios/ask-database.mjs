import { join } from 'node:path'
import { CLI, run, runProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

export const DAYS = 31

/** @type {Promise<{ journal: string, database: string }> | null} */
let made = null

/**
 * A database with 31 days up to the end of today, for all scenarios that ask one; made when it is first asked for.
 *
 * @param {Context} context
 */
export function askedDatabase(context) {
  made ??= make(context)
  return made
}

/** @param {Context} context */
export function askedEvents({ events, isQuick }) {
  return events ?? (isQuick ? 200_000 : 10_000_000)
}

/** @param {Context} context */
async function make(context) {
  const journal = context.workspace.path('journal')
  const database = join(context.workspace.path('asked'), 'requests.db')
  const events = askedEvents(context)
  context.progress(
    `making and projecting ${events.toLocaleString('en-US')} events of ${DAYS} days up to today`,
  )
  await runProgram('make-journal', {
    directory: journal,
    events,
    seed: context.seed,
    days: DAYS,
    untilToday: true,
  })
  await run(process.execPath, [CLI, 'replay', '--journal', journal, '--db', database])
  return { journal, database }
}
