import { cliOf } from './checkouts.mjs'
import { output, start } from './processes.mjs'

/**
 * Starts `request-journal serve` on a free port.
 *
 * @param {string} checkout whose program it is
 * @param {{ journal: string, database: string, project?: boolean, ingestToken?: string }} options `ingestToken`:
 *   takes events from those who show it
 * @returns {Promise<{ url: string, pid: number, stop: () => Promise<void> }>}
 */
export async function startServer(checkout, { journal, database, project = false, ingestToken }) {
  const parameters = ['serve', '--journal', journal, '--db', database, '--port', '0', '--log-level', 'warn']
  const switches = [...(project ? ['--project'] : []), ...(ingestToken === undefined ? [] : ['--ingest'])]
  const command = [cliOf(checkout), ...parameters, ...switches]
  const child = start(process.execPath, command, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: ingestToken === undefined ? process.env : { ...process.env, REQUEST_JOURNAL_TOKEN: ingestToken },
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
