import { formatSize } from '../harness/format.mjs'
import { DATABASE_BYTES, JOURNAL_BYTES, linkJournal } from '../harness/journals.mjs'
import { CLI, run, runProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const EVENT = '{"model":"gpt-4o","latency_ms":812,"success":true}\n'

/** @type {Map<number, { journal: string, appended: string, database: string }>} */
const places = new Map()

/** @type {import('../harness/rounds.mjs').Scenario} */
export const startUp = {
  name: 'start-up',
  measures: 'a command from its start to its end, on a journal of one event and on a great one',
  statistics: { elapsed: { label: 'elapsed', unit: 'ms' } },
  rounds: { full: 15, quick: 5 },
  warmUp: true,

  prepare: async (context) => {
    for (const events of [1, count(context)]) {
      const files = await context.journals.generated(events)
      const [journal, appended] = [context.workspace.path('journal'), context.workspace.path('journal')]
      const from = await context.journals.database(events)
      // Linked after the projection, which has sealed the segments. What `append` adds, `project` must not find.
      linkJournal(files, journal)
      linkJournal(files, appended)
      const database = context.workspace.path('requests.db')
      await runProgram('copy-database', { from, to: database })
      places.set(events, { journal, appended, database })
    }
  },

  plan: (context) => {
    const [least, greatest] = [formatSize(1), formatSize(count(context))]
    return {
      contenders: [
        contender('floor', 'floor', 'node -e 0', () => ({ parameters: ['-e', '0'] })),
        ...[1, count(context)].flatMap((events) => contendersOf(events)),
      ],
      targets: ['append', 'project --once', 'status'].map((command) => ({
        contender: `${command}, ${greatest}`,
        statistic: 'elapsed',
        relation: /** @type {const} */ ('≤'),
        limit: 1.5,
        against: `${command}, ${least}`,
      })),
      diskBytes: count(context) * (JOURNAL_BYTES + 3 * DATABASE_BYTES),
    }
  },
}

/** @param {Context} context */
function count({ events, isQuick }) {
  return events ?? (isQuick ? 200_000 : 10_000_000)
}

/** @param {number} events */
function contendersOf(events) {
  const size = formatSize(events)
  const place = () => {
    const found = places.get(events)
    if (found === undefined) throw new Error(`there is no journal of ${events} events`)
    return found
  }
  const command = (/** @type {string[]} */ ...parameters) => {
    const { journal, database } = place()
    return { parameters: [CLI, ...parameters, '--journal', journal, '--db', database] }
  }
  return [
    contender(`append, ${size}`, 'ours', '`request-journal append` of one event, with its sync', () => ({
      parameters: [CLI, 'append', '--journal', place().appended],
      input: EVENT,
    })),
    contender(`project --once, ${size}`, 'ours', '`request-journal project --once` with nothing to do', () =>
      command('project', '--once'),
    ),
    contender(`status, ${size}`, 'ours', '`request-journal status`', () => command('status')),
  ]
}

/**
 * @param {string} name
 * @param {'ours' | 'floor'} role
 * @param {string} configuration
 * @param {() => { parameters: string[], input?: string }} commandLine of node
 * @returns {import('../harness/rounds.mjs').Contender}
 */
function contender(name, role, configuration, commandLine) {
  return {
    name,
    role,
    configuration,
    ...(role === 'ours' ? { floor: 'floor' } : {}),
    statistics: ['elapsed'],
    measure: async () => {
      const { parameters, input } = commandLine()
      const startedAt = performance.now()
      await run(process.execPath, parameters, input === undefined ? {} : { input })
      return { elapsed: performance.now() - startedAt }
    },
  }
}
