import { expect, test } from 'vitest'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { Connection } from '../../../src/store/postgres/connection/connection.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { ask } from '../../support/fleet-checker.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'

const MAKE = "SELECT make_requests_partition('2031-05-01Z') AS partition"

test.skipIf(noPostgres !== null)(
  'a projector waits for another one that makes the same partition, and then uses it without waiting',
  async () => {
    const [text, schema] = [await sharedPostgres(), 'partitions']
    const address = postgresAddress(text)
    await migratePostgres(address, schema)
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
