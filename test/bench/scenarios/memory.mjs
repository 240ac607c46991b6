import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatSize } from '../harness/format.mjs'
import { DATABASE_BYTES, JOURNAL_BYTES } from '../harness/journals.mjs'
import { memoryMib, missingProc } from '../harness/proc.mjs'
import { runCommand, runProgram, startDaemon, startProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const LOOK_MS = 20

/** @type {import('../harness/rounds.mjs').Scenario} */
export const memory = {
  name: 'memory',
  measures:
    'memory in RAM at its most (VmHWM): a writer of 64 events a millisecond, the projector that follows it, replay',
  statistics: { peak: { label: 'peak', unit: 'MiB' } },
  rounds: { full: 1, quick: 1 },

  prepare: async (context) => {
    for (const events of sizes(context)) await context.journals.generated(events)
  },

  plan: (context) => {
    const all = sizes(context)
    const [, middle = 0, greatest = 0] = all
    return {
      contenders: [
        {
          name: 'floor',
          role: 'floor',
          configuration: 'a Node process that only waits',
          statistics: ['peak'],
          missing: missingProc,
          measure: async () => {
            const program = await startProgram('idle', {})
            const { peak } = memoryMib(program.pid)
            await program.result()
            return { peak }
          },
        },
        ...all.flatMap((events) => contendersOf(context, events)),
      ],
      targets: [
        ...['writer', 'projector', 'replay'].map((who) => ({
          contender: `${who}, ${formatSize(greatest)}`,
          statistic: 'peak',
          relation: /** @type {const} */ ('≤'),
          limit: 1.2,
          against: `${who}, ${formatSize(middle)}`,
        })),
        absolute(`projector, ${formatSize(greatest)}`, 120),
        absolute(`replay, ${formatSize(greatest)}`, 300),
      ],
      diskBytes:
        all.reduce((sum, events) => sum + events * JOURNAL_BYTES, 0) +
        greatest * (JOURNAL_BYTES + 2.5 * DATABASE_BYTES),
    }
  },
}

/** @param {Context} context */
function sizes({ events, isQuick }) {
  const greatest = events ?? (isQuick ? 200_000 : 10_000_000)
  return [Math.ceil(greatest / 1000), Math.ceil(greatest / 10), greatest]
}

/**
 * @param {string} contender
 * @param {number} limit
 * @returns {import('../harness/targets.mjs').Target}
 */
function absolute(contender, limit) {
  return { contender, statistic: 'peak', relation: '≤', limit }
}

/**
 * @param {Context} context
 * @param {number} events
 * @returns {import('../harness/rounds.mjs').Contender[]}
 */
function contendersOf(context, events) {
  const size = formatSize(events)
  return [
    ours(`writer, ${size}`, 'append, 64 events a millisecond', async (directory, checkout) => {
      const program = await startProgram('memory-writer', { checkout, directory, events, seed: context.seed })
      program.go()
      return { peak: (await program.result()).peak }
    }),
    ours(
      `projector, ${size}`,
      '`request-journal project` on what such a writer writes',
      (directory, checkout) => measureProjector(checkout, directory, { events, seed: context.seed }),
    ),
    ours(`replay, ${size}`, '`request-journal replay` of 30 segments', async (directory, checkout) => {
      const { directory: journal } = await context.journals.generated(events)
      const database = join(directory, 'requests.db')
      return { peak: await peakOf(checkout, ['replay', '--journal', journal, '--db', database]) }
    }),
  ]
}

/**
 * @param {string} name
 * @param {string} configuration
 * @param {import('../harness/rounds.mjs').Contender['measure']} measure
 * @returns {import('../harness/rounds.mjs').Contender}
 */
function ours(name, configuration, measure) {
  return {
    name,
    role: 'ours',
    configuration,
    floor: 'floor',
    statistics: ['peak'],
    missing: missingProc,
    measure,
  }
}

/**
 * @param {string} checkout
 * @param {string} directory
 * @param {{ events: number, seed: number }} asked
 */
async function measureProjector(checkout, directory, { events, seed }) {
  const database = join(directory, 'requests.db')
  const writer = await startProgram('memory-writer', { checkout, directory, events, seed })
  const daemon = await startDaemon(checkout, join(directory, 'journal'), database)
  writer.go()
  await writer.result()
  await runProgram('await-rows', { database, count: events })
  const { peak } = memoryMib(daemon.pid)
  await daemon.stop()
  return { peak }
}

/**
 * The most that a command took, looked at while it runs: the kernel keeps the greatest value, but not for a process
 * that has ended.
 *
 * @param {string} checkout
 * @param {readonly string[]} parameters
 */
async function peakOf(checkout, parameters) {
  let peak = 0
  let isRunning = true
  const end = runCommand(checkout, parameters, {
    onStart: async ({ pid }) => {
      while (isRunning) {
        try {
          peak = memoryMib(Number(pid)).peak
        } catch {
          // It has just ended.
        }
        await sleep(LOOK_MS)
      }
    },
  })
  try {
    await end
  } finally {
    isRunning = false
  }
  return peak
}
