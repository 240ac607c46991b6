import { expect, test } from 'vitest'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { Connection } from '../../../src/store/postgres/connection/connection.js'
import { Partitions } from '../../../src/store/postgres/partitions.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { ask } from '../../support/fleet-checker.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'

const MAKE = "SELECT make_requests_partition('2031-05-01Z') AS partition"

test.skipIf(noPostgres !== null)(
  'a projector waits for another one that makes the same partition, and then uses it without waiting',
  async () => {
    const [text, schema] = [await sharedPostgres(), 'partitions']
    const address = postgresAddress(text)
    await migratePostgres(address, schema, { monthsAhead: 1 })
    const open = () => Connection.open({ address, schema, purpose: 'partitions' })
    const [one, other, third] = await Promise.all([open(), open(), open()])
    await one.begin()
    await other.begin()
    expect(await one.one(MAKE)).toEqual({ partition: 'requests_2031_05' })
    const waiting = other.one(MAKE)
    for (;;) {
      const sql = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
      if ((await ask(text, sql)).length > 0) break
    }
    await one.commit()
    expect(await waiting).toEqual({ partition: 'requests_2031_05' })
    // The transaction of the one that waited is still open.
    await third.begin()
    expect(await third.one(MAKE)).toEqual({ partition: 'requests_2031_05' })
    await Promise.all([other.rollback(), third.rollback()])
    await Promise.all([one.close(), other.close(), third.close()])
  },
)

test.skipIf(noPostgres !== null)(
  'a partition that would wait for a long question isn’t made, and the rows of its month stand among the others',
  async () => {
    const [text, schema] = [await sharedPostgres(), 'partitions_wait']
    const address = postgresAddress(text)
    await migratePostgres(address, schema, { monthsAhead: 1 })
    const open = () => Connection.open({ address, schema, purpose: 'partitions' })
    const [reader, writer] = await Promise.all([open(), open()])
    await reader.begin()
    await reader.all('SELECT * FROM requests LIMIT 1')
    await writer.begin()
    await new Partitions(writer).make('2031-06-07T00:00:00.000Z')
    const sql = "SELECT to_regclass('requests_2031_06') AS partition, current_setting('lock_timeout') AS wait"
    expect(await writer.one(sql)).toEqual({ partition: null, wait: '0' })
    // Nobody else waits meanwhile.
    await reader.all('SELECT * FROM requests LIMIT 1')
    await reader.commit()
    await new Partitions(writer).make('2031-06-07T00:00:00.000Z')
    expect(await writer.one(sql)).toEqual({ partition: 'requests_2031_06', wait: '0' })
    await writer.rollback()
    await Promise.all([reader.close(), writer.close()])
  },
)

test.skipIf(noPostgres !== null)(
  'rows that waited for the partition of their month fail with a temporary error',
  async () => {
    const [text, schema] = [await sharedPostgres(), 'partitions_meanwhile']
    const address = postgresAddress(text)
    await migratePostgres(address, schema, { monthsAhead: 1 })
    const open = () => Connection.open({ address, schema, purpose: 'partitions' })
    const [one, other] = await Promise.all([open(), open()])
    await one.begin()
    await one.one(MAKE)
    await other.begin()
    await other.exec('INSERT INTO journals (journal_id) VALUES ($$a$$)')
    const row = `(1, 1, 'a', '2031-05-09Z', 'm', FALSE, 1, TRUE, 1, 0)`
    const columns =
      'journal, id, correlation_id, timestamp, model, streaming, latency_ms, success, segment_id, byte_offset'
    const waiting = other.exec(`INSERT INTO requests (${columns}) VALUES ${row}`).catch((error) => error)
    for (;;) {
      const sql = `SELECT 1 FROM pg_locks WHERE relation = '${schema}.requests_other'::regclass AND NOT granted`
      if ((await ask(text, sql)).length > 0) break
    }
    await one.commit()
    expect(await waiting).toMatchObject({ code: 'SERVER_AWAY' })
    await other.rollback()
    await Promise.all([one.close(), other.close()])
  },
)

test.skipIf(noPostgres !== null)(
  'migrate moves rows that are committed while it makes the partition of their month',
  async () => {
    const [text, schema] = [await sharedPostgres(), 'partitions_moved']
    const address = postgresAddress(text)
    await migratePostgres(address, schema)
    const writer = await Connection.open({ address, schema, purpose: 'partitions' })
    const insert = (id: number) =>
      writer.exec(
        `INSERT INTO requests
           (journal, id, correlation_id, timestamp, model, streaming, latency_ms, success, segment_id, byte_offset)
         VALUES (1, ${id}, 'a', '2031-05-09Z', 'm', FALSE, 1, TRUE, 1, ${id})`,
      )
    await writer.transaction(() => insert(1))
    await writer.begin()
    await insert(2)
    const moving = migratePostgres(address, schema)
    for (;;) {
      const sql = `SELECT 1 FROM pg_locks WHERE relation = '${schema}.requests_other'::regclass AND NOT granted`
      if ((await ask(text, sql)).length > 0) break
    }
    await writer.commit()
    expect(await moving).toMatchObject({ moved: 2 })
    await writer.close()
  },
)
