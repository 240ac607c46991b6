import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { output, start } from './processes.mjs'

/**
 * @typedef {object} Listener a process that listens
 * @property {string} url
 * @property {number} pid
 * @property {() => Promise<void>} stop
 */

/**
 * Starts a program of this benchmark that prints its URL and then listens.
 *
 * @param {string} name of a file in programs/
 * @param {object} configuration
 * @returns {Promise<Listener>}
 */
export async function startListener(name, configuration) {
  const program = fileURLToPath(new URL(`../programs/${name}.mjs`, import.meta.url))
  const listener = await startListening([program, JSON.stringify(configuration)])
  // It doesn't handle the signal, and ends by it.
  return { ...listener, stop: () => listener.stop().catch(() => {}) }
}

/**
 * Starts a Node program whose first line on stdout is its URL, and which ends cleanly at SIGTERM.
 *
 * @param {readonly string[]} parameters
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<Listener>}
 */
export async function startListening(parameters, env = process.env) {
  const child = start(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const end = output(child, parameters.join(' '))
  end.catch(() => {})
  const url = await Promise.race([firstLine(child.stdout), end.then(() => '')])
  return { url, pid: Number(child.pid), stop: () => stop(child, end) }
}

/**
 * Starts a Node program that is told its port, and waits until it listens there.
 *
 * @param {(port: number) => readonly string[]} parameters
 * @returns {Promise<Listener>}
 */
export async function startOnPort(parameters) {
  const port = await freePort()
  const child = start(process.execPath, parameters(port), { stdio: ['ignore', 'pipe', 'pipe'] })
  const end = output(child, parameters(port).join(' '))
  end.catch(() => {})
  while (!(await isListening(port))) await Promise.race([sleep(20), end])
  return {
    url: `http://127.0.0.1:${port}`,
    pid: Number(child.pid),
    stop: () => stop(child, end).catch(() => {}),
  }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {Promise<string>} end
 */
async function stop(child, end) {
  child.kill('SIGTERM')
  await end
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  return port
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function isListening(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/**
 * @param {import('node:stream').Readable | null} stream
 * @returns {Promise<string>}
 */
function firstLine(stream) {
  let seen = ''
  return new Promise((resolve) => {
    stream?.on('data', (text) => {
      seen += text
      if (seen.includes('\n')) resolve(seen.slice(0, seen.indexOf('\n')))
    })
  })
}
