import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { OWN_CHECKOUT } from '../harness/checkouts.mjs'
import { linkJournal } from '../harness/journals.mjs'
import { cpuSeconds, diskBytesWritten, missingProc } from '../harness/proc.mjs'
import { output, start, startDaemon, startProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */

const SEGMENTS = 100
const EVENTS = 100_000

/** @type {import('../harness/rounds.mjs').Scenario} */
export const idle = {
  name: 'idle',
  measures: `a projector with ${SEGMENTS} segments and nothing to do`,
  statistics: {
    cpu: { label: 'CPU', unit: '%' },
    written: { label: 'written', unit: 'bytes' },
    syscalls: { label: 'syscalls', unit: '/s' },
  },
  rounds: { full: 1, quick: 1 },

  prepare: async (context) => {
    await context.journals.database(OWN_CHECKOUT, EVENTS, SEGMENTS)
  },

  plan: (context) => ({
    contenders: [
      {
        name: 'floor',
        role: 'floor',
        configuration: 'a Node process that wakes up once a second and does nothing',
        statistics: ['cpu', 'written', 'syscalls'],
        missing: missingProc,
        measure: async (directory) => {
          const program = await startProgram('idle', {})
          const result = await watch(program.pid, context, directory)
          await program.result()
          return result
        },
      },
      {
        name: 'ours',
        role: 'ours',
        configuration: '`request-journal project`, caught up; syscalls by strace, afterwards, where it may',
        floor: 'floor',
        statistics: ['cpu', 'written', 'syscalls'],
        missing: missingProc,
        measure: async (directory, checkout) => {
          const journal = join(directory, 'journal')
          const database = join(directory, 'requests.db')
          mkdirSync(journal)
          linkJournal(await context.journals.generated(EVENTS, SEGMENTS), journal)
          const daemon = await startDaemon(checkout, journal, database)
          // Until the segments are sealed and the looks have become rare.
          await sleep(context.isQuick ? 5000 : 15_000)
          const result = await watch(daemon.pid, context, directory)
          await daemon.stop()
          return result
        },
      },
    ],
    targets: [
      { contender: 'ours', statistic: 'cpu', relation: '≤', limit: 0.5 },
      { contender: 'ours', statistic: 'written', relation: '≤', limit: 0 },
    ],
    diskBytes: EVENTS * 2000,
  }),
}

/**
 * @param {number} pid
 * @param {Context} context
 * @param {string} directory
 * @returns {Promise<Record<string, number>>}
 */
async function watch(pid, { isQuick, progress }, directory) {
  const [cpuBefore, writtenBefore, startedAt] = [cpuSeconds(pid), diskBytesWritten(pid), performance.now()]
  await sleep(isQuick ? 10_000 : 60_000)
  const seconds = (performance.now() - startedAt) / 1000
  const cpu = ((cpuSeconds(pid) - cpuBefore) / seconds) * 100
  const written = diskBytesWritten(pid) - writtenBefore
  try {
    return {
      cpu,
      written,
      syscalls: await syscallsPerSecond(pid, join(directory, 'strace'), isQuick ? 5 : 30),
    }
  } catch (error) {
    progress(`idle: no syscalls, strace can't be used (${error instanceof Error ? error.message : error})`)
    return { cpu, written }
  }
}

/**
 * @param {number} pid
 * @param {string} file for what strace says
 * @param {number} seconds
 */
async function syscallsPerSecond(pid, file, seconds) {
  const strace = start('strace', ['-c', '-f', '-p', String(pid), '-o', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const failed = new Promise((_, reject) => strace.once('error', reject))
  const end = output(strace, 'strace')
  const stopping = sleep(seconds * 1000).then(() => strace.kill('SIGINT'))
  // It ends by the signal it was sent, after it has written its table.
  await Promise.race([failed, end.catch(() => {})])
  await stopping
  const total = /^\s*100\.00\s.*\btotal$/m.exec(readFileSync(file, 'utf8'))?.[0]
  if (total === undefined) throw new Error('it counted nothing')
  // % time, seconds, usecs/call, calls, errors (absent where there is none), "total"
  return Number(total.trim().split(/\s+/)[3]) / seconds
}
