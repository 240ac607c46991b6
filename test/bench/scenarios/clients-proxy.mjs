import { join } from 'node:path'
import { cliOf } from '../harness/checkouts.mjs'
import { JOURNAL_BYTES } from '../harness/journals.mjs'
import { startListener, startListening, startOnPort } from '../harness/listeners.mjs'
import { missingProgram, peerProgram } from '../harness/peers.mjs'
import { cpuSeconds, memoryMib, missingProc } from '../harness/proc.mjs'
import { runProgram } from '../harness/processes.mjs'

/** @typedef {import('../harness/rounds.mjs').Context} Context */
/** @typedef {import('../harness/listeners.mjs').Listener} Listener */

const PORTKEY = '@portkey-ai/gateway'
const WHOLE = '/v1/chat/completions'
const STREAM = `${WHOLE}?chunks=20`
const PER_SECOND = 200
const AT_ONCE = 32
const SLOW_STREAMS = 200

/** @param {Context} context */
function sizes({ isQuick }) {
  return isQuick
    ? { seconds: 3, calls: 3000, slowBytes: 1024 * 1024 }
    : { seconds: 15, calls: 20_000, slowBytes: 10 * 1024 * 1024 }
}

/** @type {Pick<import('../harness/rounds.mjs').Scenario, 'measures' | 'statistics' | 'plan'>} */
export const proxy = {
  measures: `the proxy: calls at ${PER_SECOND} a second, whole and as streams of 20 chunks; calls a second of CPU time with ${AT_ONCE} at once; memory with ${SLOW_STREAMS} slow streams`,
  statistics: {
    p50: { label: 'p50', unit: 'ms' },
    p99: { label: 'p99', unit: 'ms' },
    streamP50: { label: 'stream p50', unit: 'ms' },
    streamP99: { label: 'stream p99', unit: 'ms' },
    perCore: { label: 'calls a CPU second', unit: '/s', isRate: true },
    peak: { label: 'peak', unit: 'MiB' },
  },

  plan: (context) => {
    const { seconds, calls, slowBytes } = sizes(context)
    const slow = `${WHOLE}?bytes=${slowBytes}&pauseMs=50`
    const ours = 'proxy'
    return {
      contenders: [
        {
          name: 'no proxy',
          role: 'floor',
          configuration: 'clients ask the upstream, a process of this machine, without anything between',
          statistics: ['p50', 'p99', 'streamP50', 'streamP99'],
          measure: () => withUpstream((upstream) => atRate(upstream.url, seconds)),
        },
        {
          name: ours,
          role: 'ours',
          configuration: '`request-journal proxy`, which logs every call',
          floor: 'no proxy',
          statistics: ['p50', 'p99', 'streamP50', 'streamP99', 'perCore', 'peak'],
          missing: missingProc,
          measure: (directory, checkout) =>
            withUpstream((upstream) =>
              within(startOurs(checkout, directory, upstream.url), async (running) => {
                const rate = await atRate(running.url, seconds)
                const perCore = await perCpuSecond(running, calls)
                await runProgram('call-models', {
                  url: running.url,
                  path: slow,
                  atOnce: SLOW_STREAMS,
                  calls: SLOW_STREAMS,
                })
                return { ...rate, perCore, peak: memoryMib(running.pid).peak }
              }),
            ),
        },
        {
          name: 'bare pipe',
          role: 'reference',
          configuration: 'node:http and `undici.stream`, which passes bytes on and does nothing else',
          statistics: ['perCore'],
          missing: missingProc,
          measure: () =>
            withUpstream((upstream) =>
              within(startListener('bare-pipe', { upstream: upstream.url }), async (running) => ({
                perCore: await perCpuSecond(running, calls),
              })),
            ),
        },
        {
          name: PORTKEY,
          role: 'peer',
          configuration: 'as its start-server.js comes, with `--headless`, told its upstream by headers',
          statistics: ['perCore'],
          missing: async () => (await missingProc()) ?? (await missingProgram(PORTKEY)),
          measure: () =>
            withUpstream((upstream) =>
              within(startPortkey(), async (running) => ({
                perCore: await perCpuSecond(running, calls, {
                  'x-portkey-provider': 'openai',
                  'x-portkey-custom-host': `${upstream.url}/v1`,
                }),
              })),
            ),
        },
      ],
      targets: [
        ...['p50', 'streamP50'].map((statistic) => added(statistic, 1)),
        ...['p99', 'streamP99'].map((statistic) => added(statistic, 5)),
        { contender: ours, statistic: 'perCore', relation: '≥', limit: 0.7, against: 'bare pipe' },
        { contender: ours, statistic: 'perCore', relation: '≥', limit: 2, against: PORTKEY },
        { contender: ours, statistic: 'peak', relation: '≤', limit: 150 },
      ],
      diskBytes: 3 * (2 * calls + 3 * seconds * PER_SECOND) * JOURNAL_BYTES,
    }
  },
}

/**
 * @param {string} statistic
 * @param {number} limit
 * @returns {import('../harness/targets.mjs').Target}
 */
function added(statistic, limit) {
  return { contender: 'proxy', statistic, relation: '≤', limit, plus: { contender: 'no proxy', statistic } }
}

/**
 * @param {string} checkout
 * @param {string} directory
 * @param {string} upstream
 */
function startOurs(checkout, directory, upstream) {
  const place = ['--journal', join(directory, 'journal'), '--port', '0']
  return startListening([cliOf(checkout), 'proxy', '--upstream', upstream, ...place, '--log-level', 'error'])
}

function startPortkey() {
  const program = peerProgram(PORTKEY, 'build/start-server.js')
  return startOnPort((port) => [program, `--port=${port}`, '--headless'])
}

/**
 * @template Result
 * @param {(upstream: Listener) => Promise<Result>} use
 * @returns {Promise<Result>}
 */
async function withUpstream(use) {
  return await within(startListener('model-upstream', {}), use)
}

/**
 * @template Result
 * @param {Promise<Listener>} starting
 * @param {(running: Listener) => Promise<Result>} use
 * @returns {Promise<Result>}
 */
async function within(starting, use) {
  const running = await starting
  try {
    return await use(running)
  } finally {
    await running.stop()
  }
}

/**
 * @param {string} url
 * @param {number} seconds
 */
async function atRate(url, seconds) {
  const rate = { url, perSecond: PER_SECOND }
  // What is compiled and connected by the first calls isn't measured.
  await runProgram('call-models', { ...rate, path: STREAM, calls: PER_SECOND })
  await runProgram('call-models', { ...rate, path: WHOLE, calls: 2 * PER_SECOND })
  const whole = await runProgram('call-models', { ...rate, path: WHOLE, calls: PER_SECOND * seconds })
  const stream = await runProgram('call-models', { ...rate, path: STREAM, calls: PER_SECOND * seconds })
  return { p50: whole.p50, p99: whole.p99, streamP50: stream.p50, streamP99: stream.p99 }
}

/**
 * @param {Listener} running
 * @param {number} calls
 * @param {Record<string, string>} [headers]
 */
async function perCpuSecond({ url, pid }, calls, headers = {}) {
  const asked = { url, path: WHOLE, atOnce: AT_ONCE, headers }
  await runProgram('call-models', { ...asked, calls })
  const before = cpuSeconds(pid)
  await runProgram('call-models', { ...asked, calls })
  return calls / (cpuSeconds(pid) - before)
}
