import { expect, test } from 'vitest'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { Connection } from '../../../src/store/postgres/connection/connection.js'
import { ask } from '../../support/fleet-checker.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'

test.skipIf(noPostgres !== null)(
  'a COPY that fails while its rows are on the way leaves a connection that works',
  async () => {
    const address = await sharedPostgres()
    const open = (purpose: string) =>
      Connection.open({ address: postgresAddress(address), schema: 'public', purpose, lockTimeoutMs: 100 })
    await ask(address, 'CREATE TABLE copied (text TEXT)')
    const connection = await open('test')
    const other = await open('other')
    await other.begin()
    await other.run('LOCK TABLE copied')
    // More than the kernel keeps on its way: the server reads none of it while it waits for the lock.
    const rows = `${'x'.repeat(1000)}\n`.repeat(40_000)
    for (let attempt = 0; attempt < 3; attempt++) {
      await connection.begin()
      await expect(connection.copy('copied', ['text'], rows)).rejects.toMatchObject({ code: 'SERVER_AWAY' })
      await connection.rollback()
    }
    await other.rollback()
    await connection.transaction(() => connection.copy('copied', ['text'], rows))
    expect(await ask(address, 'SELECT count(*)::int AS n FROM copied')).toEqual([{ n: 40_000 }])
    await ask(address, 'DROP TABLE copied')
    await Promise.all([connection.close(), other.close()])
  },
)
