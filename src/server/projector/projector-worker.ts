import { parentPort, workerData } from 'node:worker_threads'
import { type ProjectorOptions, startProjector } from '../../projection/index.js'
import {
  type MessageFromProjector,
  type ProjectorThreadData,
  sentError,
  sentFields,
} from './projector-messages.js'

/** The program of a {@link ProjectorThread}: a projector that logs and stops through messages. */
const port = parentPort
if (port === null) throw new Error('projector-worker runs in a worker thread')

const send = (message: MessageFromProjector) => port.postMessage(message)
const log = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) =>
  send({ is: 'log', level, fields: sentFields(fields), message })
const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }

try {
  const onWaiting = (reason: Error | null) =>
    send({ is: 'waiting', reason: reason === null ? null : sentError(reason) })
  const options: ProjectorOptions = { ...(workerData as ProjectorThreadData), logger, onWaiting }
  const projector = await startProjector(options)
  // The port also keeps the thread alive: a projector's timers don't.
  port.once('message', () => void projector.stop())
  send({ is: 'started' })
  await projector.finished
} catch (error) {
  send({ is: 'failed', error: sentError(error) })
} finally {
  port.close()
}
