import { closeSync, fsyncSync, openSync, readFileSync } from 'node:fs'

/** What the parent asks for. */
export const configuration = JSON.parse(process.argv[2] ?? '{}')

/**
 * The answer: one line of JSON, the last of stdout.
 *
 * @param {object} result
 */
export function answer(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

/**
 * Events as a caller would hold them, each another object.
 *
 * @param {string} path NDJSON
 * @returns {Record<string, unknown>[]}
 */
export function readEvents(path) {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** Says that everything is loaded, and waits for the parent's line. */
export async function readyAndGo() {
  process.stdout.write('ready\n')
  await new Promise((resolve) => process.stdin.once('data', resolve))
  process.stdin.pause()
}

/** Nanoseconds on a clock that all processes of this machine share. */
export function monotonicNs() {
  return Number(process.hrtime.bigint())
}

/** @returns {Promise<void>} */
export function nextTick() {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * Waits until a file's bytes are on the disk, so that nothing is written back while something is measured.
 *
 * @param {string} path
 */
export function syncFile(path) {
  const descriptor = openSync(path, 'r')
  fsyncSync(descriptor)
  closeSync(descriptor)
}

/** As if there were no roll-ups and counters, in this process: what is left is what the rows cost. */
export async function leaveOutRollups() {
  const { RollupSums } = await import('../../../dist/folds/sums/rollups.js')
  for (const name of /** @type {const} */ (['add', 'correct'])) RollupSums.prototype[name] = () => {}
}
