import { formatSize } from '../harness/format.mjs'
import { DATABASE_BYTES, JOURNAL_BYTES, linkJournal } from '../harness/journals.mjs'
import { run, runCommand, runProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const EVENT = '{"model":"gpt-4o","latency_ms":812,"success":true}\n'

/** @typedef {{ journal: string, appended: string, database: string }} Places */

/** By checkout and number of events. @type {Map<string, Places>} */
const places = new Map()

/** @type {import('../harness/rounds.mjs').Scenario} */
export const startUp = {
  name: 'start-up',
  measures: 'a command from its start to its end, on a journal of one event and on a great one',
  statistics: { elapsed: { label: 'elapsed', unit: 'ms' } },
  rounds: { full: 15, quick: 5 },
  warmUp: true,

  prepare: async (context) => {
    for (const checkout of context.checkouts) {
      for (const events of [1, count(context)]) {
        places.set(`${checkout}/${events}`, await makePlaces(context, checkout, events))
      }
    }
  },

  plan: (context) => {
    const [least, greatest] = [formatSize(1), formatSize(count(context))]
    return {
      contenders: [
        contender('floor', 'floor', 'node -e 0', () => run(process.execPath, ['-e', '0'])),
        ...[1, count(context)].flatMap((events) => contendersOf(events)),
      ],
      targets: ['append', 'project --once', 'status'].map((command) => ({
        contender: `${command}, ${greatest}`,
        statistic: 'elapsed',
        relation: /** @type {const} */ ('≤'),
        limit: 1.5,
        against: `${command}, ${least}`,
      })),
      diskBytes: count(context) * (JOURNAL_BYTES + (2 * context.checkouts.length + 1) * DATABASE_BYTES),
    }
  },
}

/** @param {Context} context */
function count({ events, isQuick }) {
  return events ?? (isQuick ? 200_000 : 10_000_000)
}

/**
 * @param {Context} context
 * @param {string} checkout
 * @param {number} events
 * @returns {Promise<Places>}
 */
async function makePlaces({ journals, workspace }, checkout, events) {
  const files = await journals.generated(events)
  const [journal, appended] = [workspace.path('journal'), workspace.path('journal')]
  const from = await journals.database(checkout, events)
  // Linked after the projection, which has sealed the segments. What `append` adds, `project` must not find.
  linkJournal(files, journal)
  linkJournal(files, appended)
  const database = workspace.path('requests.db')
  await runProgram('copy-database', { from, to: database })
  return { journal, appended, database }
}

/** @param {number} events */
function contendersOf(events) {
  const size = formatSize(events)
  const placesOf = (/** @type {string} */ checkout) => {
    const found = places.get(`${checkout}/${events}`)
    if (found === undefined) throw new Error(`there is no journal of ${events} events`)
    return found
  }
  const command =
    (/** @type {string[]} */ ...parameters) =>
    (/** @type {string} */ checkout) => {
      const { journal, database } = placesOf(checkout)
      return runCommand(checkout, [...parameters, '--journal', journal, '--db', database])
    }
  return [
    contender(`append, ${size}`, 'ours', '`request-journal append` of one event, with its sync', (checkout) =>
      runCommand(checkout, ['append', '--journal', placesOf(checkout).appended], { input: EVENT }),
    ),
    contender(
      `project --once, ${size}`,
      'ours',
      '`request-journal project --once` with nothing to do',
      command('project', '--once'),
    ),
    contender(`status, ${size}`, 'ours', '`request-journal status`', command('status')),
  ]
}

/**
 * @param {string} name
 * @param {'ours' | 'floor'} role
 * @param {string} configuration
 * @param {(checkout: string) => Promise<string>} runIt
 * @returns {import('../harness/rounds.mjs').Contender}
 */
function contender(name, role, configuration, runIt) {
  return {
    name,
    role,
    configuration,
    ...(role === 'ours' ? { floor: 'floor' } : {}),
    statistics: ['elapsed'],
    measure: async (_directory, checkout) => {
      const startedAt = performance.now()
      await runIt(checkout)
      return { elapsed: performance.now() - startedAt }
    },
  }
}
