import { randomUUID } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { test as base, beforeAll, describe, expect } from 'vitest'
import { projectOnce, startProjector } from '../../../src/projection/index.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { ask, findFleetDifferences, untilProjected } from '../../support/fleet-checker.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { dump, noPostgres, sharedPostgres } from '../../support/postgres.js'
import { TcpProxy } from '../../support/tcp-proxy.js'

const schema = `faults_${randomUUID().replaceAll('-', '')}`

/** A journal of its own in the shared database, and a proxy before the server. */
interface Host {
  journal: string
  /** The server itself. */
  address: string
  /** The server through the proxy. */
  database: string
  proxy: TcpProxy
  /** Appends requests with ids of their own, every third of which is completed later. */
  append(count: number, bytes?: number): void
  /** What the projector gave as reasons of waiting, without repetitions. */
  reasons: string[]
  /** Aborted when the test is over, in time or not. */
  signal: AbortSignal
  onWaiting: (reason: Error | null) => void
  /** Follows the journal until the rows are those of the journal, then stops. */
  follow(options?: { database?: string; while?: () => Promise<void> }): Promise<void>
}

const test = base.extend<{ host: Host }>({
  host: async ({ signal }, use) => {
    const directory = mkdtempSync(join(tmpdir(), 'request-journal-fleet-'))
    const journal = join(directory, 'journal')
    mkdirSync(journal)
    const identity = { format: 1, journal_id: randomUUID(), created_at: '2026-11-22T00:00:00.000Z' }
    writeFileSync(join(journal, 'journal.json'), JSON.stringify(identity))
    const address = await sharedPostgres()
    const proxy = await TcpProxy.start(Number(new URL(address).port))
    const database = address.replace(/:\d+\//, `:${proxy.port}/`)
    const reasons: string[] = []
    let appended = 0
    const host: Host = {
      journal,
      address,
      database,
      proxy,
      reasons,
      signal,
      append: (count, bytes = 0) => {
        const lines = Array.from({ length: count }, () => {
          const id = `r${appended++}`
          const request = requestLine(id, { streaming: appended % 3 === 0, error_message: 'x'.repeat(bytes) })
          return appended % 3 === 0
            ? `${request}\n${completionLine(id, { success: true })}\n`
            : `${request}\n`
        })
        appendFileSync(join(journal, '2026-11-22.ndjson'), lines.join(''))
      },
      onWaiting: (reason) => {
        const text = reason === null ? 'on' : reason.message
        if (reasons.at(-1) !== text) reasons.push(text)
      },
      follow: async (options = {}) => {
        const { onWaiting } = host
        const projector = await startProjector({
          journal,
          database: options.database ?? database,
          schema,
          onWaiting,
        })
        try {
          await options.while?.()
          await untilSame(host)
        } finally {
          await projector.stop()
        }
        await projector.finished
      },
    }
    await use(host)
    expect(await findFleetDifferences({ address, schema, journal }, false)).toEqual([])
    await proxy.stop()
    rmSync(directory, { recursive: true, force: true })
  },
})

async function untilSame({ address, journal }: Host): Promise<void> {
  await untilProjected({ address, schema, journal })
}

/** Resolves when the projector waits for a reason that matches. */
async function untilWaiting({ reasons, signal }: Host, pattern: RegExp): Promise<void> {
  while (!reasons.some((reason) => pattern.test(reason))) await sleep(2, undefined, { signal })
}

/** Locks `requests` while something is done. */
async function whileLocked({ address }: Host, act: () => Promise<void>): Promise<void> {
  const client = await connect(address)
  await client.query(`BEGIN; LOCK TABLE ${schema}.requests`)
  try {
    await act()
  } finally {
    await client.end()
  }
}

async function connect(address: string): Promise<Client> {
  const client = new Client({ connectionString: address })
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Makes a user that may do all, for settings of its own. */
async function makeUser(address: string, settings: string): Promise<string> {
  const name = `user_${randomUUID().replaceAll('-', '')}`
  await ask(address, `CREATE ROLE ${name} SUPERUSER LOGIN`)
  await ask(address, `ALTER ROLE ${name} ${settings}`)
  return name
}

const withUser = (address: string, user: string) => address.replace('//tester@', `//${user}@`)

describe.skipIf(noPostgres !== null)(
  `a projector into PostgreSQL${noPostgres === null ? '' : ` (${noPostgres})`}`,
  () => {
    beforeAll(async () => {
      if (noPostgres === null)
        await migratePostgres(postgresAddress(await sharedPostgres()), schema, { monthsAhead: 1 })
    })

    test('goes on after the connection was cut at any point of what it sends', async ({ host }) => {
      for (let cutAt = 100; cutAt < 300_000; cutAt = Math.ceil(cutAt * 2.7)) {
        host.append(60, 200)
        let sent = 0
        host.proxy.onSent = (bytes) => {
          sent += bytes.length
          return sent - bytes.length < cutAt && sent >= cutAt ? 'cut' : 'pass'
        }
        await host.follow()
      }
      expect(host.reasons.length).toBeGreaterThan(4)
    })

    test('holds its lock no more once it has stopped, and waits at the start for one that is just let go', async ({
      host,
    }) => {
      const { journal, address } = host
      host.append(10)
      const key = [
        `hashtext('request-journal ${schema}')`,
        `(SELECT number FROM ${schema}.journals WHERE journal_id = $1)`,
      ]
      const { journal_id } = JSON.parse(readFileSync(join(journal, 'journal.json'), 'utf8'))
      const free = `SELECT pg_try_advisory_lock(${key.join()}::int) AS is_free`
      for (let round = 0; round < 5; round++) {
        const projector = await startProjector({ journal, database: address, schema })
        await projector.stop()
        expect(await ask(address, free, [journal_id])).toEqual([{ is_free: true }])
        await projectOnce({ journal, database: address, schema })
        expect(await ask(address, free, [journal_id])).toEqual([{ is_free: true }])
      }
      const former = await connect(address)
      await former.query(free, [journal_id])
      const projecting = projectOnce({ journal, database: address, schema })
      const waiting = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND classid::bigint = hashtext('request-journal ${schema}')::bigint & 4294967295`
      while ((await ask(address, waiting)).length === 0) await sleep(2)
      await former.end()
      await projecting
    })

    test('reads the position again after the answer to a COMMIT was lost', async ({ host }) => {
      let lost = 0
      let hasRows = false
      let isCommitting = false
      host.proxy.onSent = (bytes) => {
        hasRows ||= bytes.includes('COPY requests')
        isCommitting = hasRows && bytes.includes('COMMIT')
        return 'pass'
      }
      host.proxy.onAnswered = () => {
        if (!isCommitting || lost === 5) return 'pass'
        lost++
        hasRows = isCommitting = false
        return 'cut'
      }
      await host.follow({
        while: async () => {
          for (let round = 1; round <= 5; round++) {
            host.append(30)
            while (lost < round) await sleep(2)
            await untilSame(host)
          }
        },
      })
    })

    test('goes on after its sessions were ended on the server', async ({ host }) => {
      await host.follow({
        while: async () => {
          for (let round = 0; round < 10; round++) {
            host.append(100)
            await ask(
              host.address,
              // Only this host's: other tests share the server.
              `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
               AND classid::bigint = hashtext('request-journal ${schema}')::bigint & 4294967295`,
            )
            await sleep(30)
          }
        },
      })
      expect(host.reasons).toContain('on')
    })

    test('waits for a lock on requests, says so, and goes on', async ({ host }) => {
      // So much that the server leaves a part of the rows unread while it waits for the lock.
      host.append(30)
      await host.follow({
        while: () =>
          whileLocked(host, async () => {
            for (let n = 0; n < 3; n++) host.append(30, 300_000)
            await untilWaiting(host, /another transaction held a lock for too long/)
          }),
      })
    })

    test('goes on after a deadlock and a serialization failure', async ({ host }) => {
      host.append(10)
      await host.follow()
      for (const state of ['40P01', '40001']) {
        const client = await connect(host.address)
        await client.query(
          `CREATE SEQUENCE ${schema}.failures;
         CREATE FUNCTION ${schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF nextval('${schema}.failures') < 4 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '${state}'; END IF;
           RETURN NEW; END $$;
         CREATE TRIGGER failure BEFORE INSERT ON ${schema}.requests FOR EACH ROW EXECUTE FUNCTION ${schema}.fail()`,
        )
        host.append(100)
        await host.follow()
        await client.query(
          `DROP TRIGGER failure ON ${schema}.requests; DROP FUNCTION ${schema}.fail; DROP SEQUENCE ${schema}.failures`,
        )
        await client.end()
      }
      expect(host.reasons.join()).toMatch(/40P01.*40001/)
    })

    test('goes on after statements took too long for the server', async ({ host }) => {
      const user = await makeUser(host.address, "SET statement_timeout = '300ms'")
      host.append(10)
      await host.follow()
      await host.follow({
        database: withUser(host.database, user),
        while: () =>
          whileLocked(host, async () => {
            host.append(100)
            await untilWaiting(host, /took too long/)
          }),
      })
    })

    test('waits while the server has too many connections, from the start on', async ({ host }) => {
      const user = await makeUser(host.address, 'NOSUPERUSER CONNECTION LIMIT 0')
      const database = withUser(host.database, user)
      host.append(50)
      await host.follow({
        database,
        while: async () => {
          await untilWaiting(host, /too many connections/)
          await ask(host.address, `ALTER ROLE ${user} SUPERUSER CONNECTION LIMIT -1`)
        },
      })
    })

    test('waits while the server is a read-only replica, and finds the one that takes its place', async ({
      host,
    }) => {
      const user = await makeUser(host.address, 'SET default_transaction_read_only = on')
      host.append(50)
      await host.follow({
        database: withUser(host.database, user),
        while: async () => {
          await untilWaiting(host, /read-only/)
          // A session keeps the setting that it began with, as it keeps the server that it has reached.
          await ask(host.address, `ALTER ROLE ${user} RESET default_transaction_read_only`)
        },
      })
    })

    test('waits for a server that is away at the start, and for one that goes later', async ({ host }) => {
      host.proxy.isClosed = true
      host.append(50)
      await host.follow({
        while: async () => {
          await untilWaiting(host, /can't be reached/)
          host.proxy.isClosed = false
          await untilSame(host)
          host.proxy.isClosed = true
          host.proxy.cut()
          host.append(50)
          host.reasons.length = 0
          await untilWaiting(host, /can't be reached/)
          host.proxy.isClosed = false
        },
      })
      await expect(
        projectOnce({ journal: host.journal, database: host.database, schema }),
      ).resolves.toBeDefined()
    })

    test('refills tables that were dropped and restored from a copy that is behind, or made anew', async ({
      host,
    }) => {
      const own = `${schema}_restored`
      const { journal, address, database, onWaiting } = host
      const same = () => untilProjected({ address, schema: own, journal })
      const replace = (sql: string) => ask(address, `BEGIN; DROP SCHEMA ${own} CASCADE; ${sql}; COMMIT`)
      await migratePostgres(postgresAddress(address), own, { monthsAhead: 1 })
      // New tables, in which another journal has the number that this one will have.
      await ask(address, `INSERT INTO ${own}.journals (journal_id) VALUES ('another')`)
      const anew = dump(address, own)
      await ask(address, `TRUNCATE ${own}.journals RESTART IDENTITY CASCADE`)
      host.append(50)
      const projector = await startProjector({ journal, database, schema: own, onWaiting })
      await same()
      const copy = dump(address, own)
      host.append(50)
      await same()
      // A copy in place of the tables, so soon that the projector has noticed nothing.
      await replace(copy)
      host.append(50)
      await same()
      expect(host.reasons.join()).toMatch(/otherwise|restored|not \d+ any more/)
      await replace(anew)
      appendFileSync(join(journal, '2026-11-23.ndjson'), `${requestLine('next-day')}\n`)
      await same()
      const others = await ask(address, `SELECT count(*)::int AS n FROM ${own}.requests WHERE journal = 1`)
      expect(others).toEqual([{ n: 0 }])
      await projector.stop()
      await projector.finished
      // The files beside the segments went with the tables, too.
      const files = await ask(address, `SELECT name FROM ${own}.journal_files WHERE name = 'journal.json'`)
      expect(files).toEqual([{ name: 'journal.json' }])
      await host.follow()
      await ask(address, `DROP SCHEMA ${own} CASCADE`)
    })
  },
)
