import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { importJournal } from './library.mjs'
import { nextTick } from './support.mjs'

/**
 * One way to log a request: what the caller calls, and what brings everything to the file at the end.
 *
 * @typedef {object} Caller
 * @property {(event: any) => void} log
 * @property {() => Promise<void> | void} finish
 */

/** @type {Record<string, (directory: string, options: any) => Promise<Caller> | Caller>} */
const callers = {
  ours: async (directory) => {
    const { openJournal } = await importJournal()
    const journal = openJournal({ directory: join(directory, 'journal') })
    return { log: (event) => journal.append(event), finish: () => journal.close() }
  },

  floor: (directory) => {
    mkdirSync(join(directory, 'journal'), { recursive: true })
    const descriptor = openSync(join(directory, 'journal', 'floor.ndjson'), 'a', 0o600)
    return {
      log: (event) => writeSync(descriptor, `${JSON.stringify(event)}\n`),
      finish: () => closeSync(descriptor),
    }
  },

  'pino sync': async (directory) => {
    const { default: pino } = await import('pino')
    const destination = pino.destination({ dest: join(directory, 'pino.log'), sync: true })
    const logger = pino(destination)
    return { log: (event) => logger.info(event), finish: () => destination.end() }
  },

  'pino async': async (directory) => {
    const { default: pino } = await import('pino')
    const destination = pino.destination({ dest: join(directory, 'pino.log'), sync: false, minLength: 4096 })
    const logger = pino(destination)
    return {
      log: (event) => logger.info(event),
      finish: () =>
        new Promise((resolve, reject) => {
          destination.flush((error) => (error ? reject(error) : resolve()))
        }),
    }
  },

  winston: async (directory, { winstonPath }) => {
    const { default: winston } = await import(winstonPath)
    const file = new winston.transports.File({ filename: join(directory, 'winston.log') })
    const logger = winston.createLogger({ level: 'info', format: winston.format.json(), transports: [file] })
    return {
      log: (event) => logger.info('request', event),
      finish: async () => {
        // Ended while it still has a backlog, winston 3.19 throws `write after end`.
        const backlog = () => logger.writableLength + logger.readableLength + file.writableLength
        while (backlog() > 0) await nextTick()
        const finished = once(file, 'finish')
        logger.end()
        await finished
      },
    }
  },

  'direct insert': async (directory) => {
    const { default: SQLite } = await import('better-sqlite3')
    const schema = new URL('../../../migrations/20260203000000_initial_schema.sql', import.meta.url)
    const database = new SQLite(join(directory, 'direct.db'))
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = NORMAL')
    database.exec(readFileSync(schema, 'utf8'))
    const insert = database.prepare(
      `INSERT INTO requests (correlation_id, timestamp, model, provider, policy, streaming, input_tokens, output_tokens,
         cost_sats, provider_cost_sats, latency_ms, success, error_status, error_message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    return {
      log: (event) =>
        insert.run(
          event.correlation_id,
          event.timestamp,
          event.model,
          event.provider,
          event.policy,
          Number(event.streaming),
          event.input_tokens,
          event.output_tokens,
          event.cost_sats,
          event.provider_cost_sats,
          event.latency_ms,
          Number(event.success),
          event.error_status,
          event.error_message,
        ),
      finish: () => {
        database.close()
      },
    }
  },
}

/**
 * @param {string} name
 * @param {string} directory for its files
 * @param {object} options
 */
export async function openCaller(name, directory, options) {
  const open = callers[name]
  if (open === undefined) throw new Error(`there is no caller ${name}`)
  return await open(directory, options)
}
