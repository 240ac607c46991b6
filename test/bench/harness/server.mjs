import { cliOf } from './checkouts.mjs'
import { startListening } from './listeners.mjs'

/**
 * Starts `request-journal serve` on a free port.
 *
 * @param {string} checkout whose program it is
 * @param {{ journal: string, database: string, project?: boolean, ingestToken?: string }} options `ingestToken`:
 *   takes events from those who show it
 * @returns {Promise<import('./listeners.mjs').Listener>}
 */
export async function startServer(checkout, { journal, database, project = false, ingestToken }) {
  const parameters = ['serve', '--journal', journal, '--db', database, '--port', '0', '--log-level', 'warn']
  const switches = [...(project ? ['--project'] : []), ...(ingestToken === undefined ? [] : ['--ingest'])]
  const env = ingestToken === undefined ? process.env : { ...process.env, REQUEST_JOURNAL_TOKEN: ingestToken }
  return await startListening([cliOf(checkout), ...parameters, ...switches], env)
}
