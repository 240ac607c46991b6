import { workerData } from 'node:worker_threads'
import { postgresAddress } from '../connection/address.js'
import { Connection } from '../connection/connection.js'
import { PostgresError } from '../connection/errors.js'
import { checkSchema } from '../schema/migrations.js'
import {
  ANSWERED,
  BEATS,
  PAGE_ROWS,
  type QueryAnswer,
  type QueryCall,
  type QueryWorkerData,
} from './query-messages.js'

// Talks to the server for a `PostgresQueryConnection`, whose own thread waits meanwhile.

const { port, signal, beatMs } = workerData as QueryWorkerData

let address = ''
let schema = ''
let connection: Connection | null = null

// The driver finds out its platform from `navigator`. Node 20 has none, and then the driver makes a
// `Response`, which loads all of fetch and takes 25 ms.
if (!('navigator' in globalThis)) {
  Object.defineProperty(globalThis, 'navigator', { value: { userAgent: 'Node.js/20' } })
}

port.on('message', async (call: QueryCall) => {
  if (call.is === 'use') {
    ;({ address, schema } = call)
    return
  }
  let answer: QueryAnswer
  try {
    answer = await answerTo(call)
  } catch (error) {
    answer = asAnswer(error)
  }
  port.postMessage(answer)
  Atomics.store(signal, ANSWERED, 1)
  Atomics.notify(signal, ANSWERED)
})

// Gives a sign of life, since a thread whose memory runs out can't report that.
setInterval(() => Atomics.add(signal, BEATS, 1), beatMs).unref()

async function answerTo(call: Exclude<QueryCall, { is: 'use' }>): Promise<QueryAnswer> {
  switch (call.is) {
    case 'connect':
      await connected()
      break
    case 'begin':
      await (await connected()).begin()
      break
    case 'commit':
      await connection?.commit()
      break
    case 'rollback':
      await connection?.rollback()
      break
    case 'read':
      return await read(await connected(), call)
    case 'fetch':
      return { is: 'rows', table: await fetchRows(await connected(), call) }
    case 'closeCursor':
      await connection?.exec(`CLOSE ${call.cursor}`)
      break
    case 'close':
      await connection?.close()
      connection = null
  }
  return { is: 'done' }
}

/**
 * Connects, or reconnects if the server has closed the connection.
 *
 * @throws PostgresError SERVER_AWAY in a transaction, since a new one would see the data of another
 *   moment.
 */
async function connected(): Promise<Connection> {
  if (connection !== null && !connection.isLost) return connection
  if (connection?.isInTransaction) {
    throw new PostgresError('SERVER_AWAY', postgresAddress(address).name, 'the connection was lost')
  }
  await connection?.close()
  connection = null
  const opened = await Connection.open({
    address: postgresAddress(address),
    schema,
    purpose: 'query',
    isReader: true,
  })
  try {
    await opened.transaction(() => checkSchema(opened, schema))
  } catch (error) {
    await opened.close()
    throw error
  }
  connection = opened
  return opened
}

async function read(
  opened: Connection,
  { sql, values, hasBigInts, cursor, timeoutMs }: Extract<QueryCall, { is: 'read' }>,
): Promise<QueryAnswer> {
  return await opened.transaction(async () => {
    if (timeoutMs !== undefined) await opened.exec(`SET LOCAL statement_timeout = ${timeoutMs}`)
    if (cursor === undefined) return { is: 'rows', table: await opened.table(sql, values, hasBigInts) }
    // All rows will be read, so the plan must be the best one for reading all.
    await opened.exec('SET LOCAL cursor_tuple_fraction = 1')
    await opened.run(`DECLARE ${cursor} NO SCROLL CURSOR FOR ${sql}`, ...values)
    return { is: 'rows', table: await fetchRows(opened, { cursor, hasBigInts }) }
  })
}

async function fetchRows(
  opened: Connection,
  { cursor, hasBigInts }: { cursor: string; hasBigInts: boolean },
) {
  return await opened.table(`FETCH FORWARD ${PAGE_ROWS} FROM ${cursor}`, [], hasBigInts)
}

function asAnswer(error: unknown): QueryAnswer {
  if (!(error instanceof PostgresError)) return { is: 'failed', error }
  const cause = error.cause as { code?: unknown } | undefined
  const message = error.message.slice(`${error.address}: `.length)
  return { is: 'refused', code: error.code, message, isTimedOut: cause?.code === '57014' }
}
