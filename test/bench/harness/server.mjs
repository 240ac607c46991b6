import { cliOf } from './checkouts.mjs'
import { output, start } from './processes.mjs'

/**
 * Starts `request-journal serve` on a free port.
 *
 * @param {string} checkout whose program it is
 * @param {{ journal: string, database: string, project?: boolean }} options
 * @returns {Promise<{ url: string, pid: number, stop: () => Promise<void> }>}
 */
export async function startServer(checkout, { journal, database, project = false }) {
  const parameters = ['serve', '--journal', journal, '--db', database, '--port', '0', '--log-level', 'warn']
  const command = [cliOf(checkout), ...parameters, ...(project ? ['--project'] : [])]
  const child = start(process.execPath, command, {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const end = output(child, 'request-journal serve')
  end.catch(() => {})
  const url = await Promise.race([firstLine(child.stdout), end.then(() => '')])
  return {
    url,
    pid: Number(child.pid),
    stop: async () => {
      child.kill('SIGTERM')
      await end
    },
  }
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
