import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { cliOf } from './checkouts.mjs'

const PROGRAMS = new URL('../programs/', import.meta.url)

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()
let isEnding = false

/**
 * Starts a process that ends with the benchmark, at the latest.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export function start(command, parameters, options = {}) {
  if (isEnding) throw new Error('the benchmark is ending')
  const child = spawn(command, parameters, options)
  running.add(child)
  child.once('close', () => running.delete(child))
  return child
}

/** The same for good: what is under way can't go on to the next process. */
export async function endProcesses() {
  isEnding = true
  await killAll()
}

/** Kills whatever still runs, and waits for its end: nothing may write into a directory that is being removed. */
export async function killAll() {
  const children = [...running].filter((child) => child.exitCode === null && child.signalCode === null)
  const ends = children.map((child) => once(child, 'close'))
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(ends)
}

/**
 * Runs a process to its end and gives what it printed.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {{ input?: string, env?: NodeJS.ProcessEnv, onStart?: (child: import('node:child_process').ChildProcess) => void }} [options]
 * @returns {Promise<string>}
 */
export async function run(command, parameters, { input, env, onStart } = {}) {
  const child = start(command, parameters, { stdio: ['pipe', 'pipe', 'pipe'], env: env ?? process.env })
  onStart?.(child)
  // A process that ends without reading its input says why on stderr.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input ?? '')
  return await output(child, [command, ...parameters].join(' '))
}

/**
 * Waits for the end of a process started with pipes.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} what names it in the error
 * @returns {Promise<string>}
 */
export async function output(child, what) {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr = (stderr + text).slice(-20_000)
  })
  const [code, signal] = await once(child, 'close')
  if (code !== 0) {
    throw new Error(
      `${what.slice(0, 300)} ended with ${signal ?? `exit code ${code}`}: ${stderr.trim() || 'nothing on stderr'}`,
    )
  }
  return stdout
}

/**
 * Runs a command of a checkout's program and gives what it printed.
 *
 * @param {string} checkout
 * @param {readonly string[]} parameters
 * @param {Parameters<typeof run>[2]} [options]
 */
export async function runCommand(checkout, parameters, options) {
  return await run(process.execPath, [cliOf(checkout), ...parameters], options)
}

/**
 * Runs one of the programs beside this folder in a fresh process. It gets its configuration as JSON and answers with
 * JSON on the last line of stdout.
 *
 * @param {string} name
 * @param {object} configuration
 * @param {readonly string[]} [nodeOptions]
 */
export async function runProgram(name, configuration, nodeOptions = []) {
  const stdout = await run(process.execPath, [
    ...nodeOptions,
    programPath(name),
    JSON.stringify(configuration),
  ])
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
}

/**
 * Starts such a program; it prints `ready` and begins when a line comes on its stdin.
 *
 * @param {string} name
 * @param {object} configuration
 */
export async function startProgram(name, configuration) {
  const child = start(process.execPath, [programPath(name), JSON.stringify(configuration)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const end = output(child, name)
  // Looked at by whoever waits for the result.
  end.catch(() => {})
  await Promise.race([printed(child.stdout, 'ready'), end])
  return {
    pid: Number(child.pid),
    go: () => child.stdin?.write('go\n'),
    result: async () => {
      child.stdin?.end()
      return JSON.parse((await end).trimEnd().split('\n').at(-1) ?? '')
    },
  }
}

/**
 * Starts the projector daemon and waits until it has caught up with the journal.
 *
 * @param {string} checkout whose program it is
 * @param {string} journal
 * @param {string} database
 */
export async function startDaemon(checkout, journal, database) {
  const child = start(
    process.execPath,
    [cliOf(checkout), 'project', '--journal', journal, '--db', database],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const end = output(child, 'request-journal project')
  end.catch(() => {})
  await Promise.race([printed(child.stderr, 'Caught up'), end])
  return {
    pid: Number(child.pid),
    stop: async () => {
      child.kill('SIGTERM')
      await end
    },
    kill: async () => {
      child.kill('SIGKILL')
      await end.catch(() => {})
    },
  }
}

/**
 * @param {import('node:stream').Readable | null} stream
 * @param {string} text
 * @returns {Promise<void>}
 */
function printed(stream, text) {
  let seen = ''
  return new Promise((resolve) => {
    stream?.on('data', function look(chunk) {
      seen += chunk
      if (!seen.includes(text)) return
      stream.off('data', look)
      resolve()
    })
  })
}

/** @param {string} name */
function programPath(name) {
  return fileURLToPath(new URL(`${name}.mjs`, PROGRAMS))
}
