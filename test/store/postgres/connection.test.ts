import { expect, test } from 'vitest'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { Connection } from '../../../src/store/postgres/connection/connection.js'
import { CopyRows } from '../../../src/store/postgres/connection/copy-rows.js'
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
    // More than the kernel keeps on its way, which is some MB: the server reads none of it while it
    // waits for the lock.
    const rows = () => {
      const copied = new CopyRows()
      for (let row = 0; row < 16_000; row++) copied.add(['x'.repeat(1000)])
      return copied
    }
    for (let attempt = 0; attempt < 3; attempt++) {
      await connection.begin()
      await expect(connection.copy('copied', ['text'], rows())).rejects.toMatchObject({ code: 'SERVER_AWAY' })
      await connection.rollback()
    }
    await other.rollback()
    await connection.transaction(() => connection.copy('copied', ['text'], rows()))
    expect(await ask(address, 'SELECT count(*)::int AS n FROM copied')).toEqual([{ n: 16_000 }])
    await ask(address, 'DROP TABLE copied')
    await Promise.all([connection.close(), other.close()])
  },
)

test.skipIf(noPostgres !== null)(
  'a COPY that is broken off before its end leaves no rows and a connection that works',
  async () => {
    const address = postgresAddress(await sharedPostgres())
    const connection = await Connection.open({ address, schema: 'public', purpose: 'test' })
    for (const rows of [0, 1, 100]) {
      await connection.begin()
      await connection.exec('CREATE TABLE broken_off (number BIGINT)')
      const copy = connection.startCopy('broken_off', ['number'])
      for (let row = 0; row < rows; row++) await copy.write(new CopyRows().add([row]).take())
      await copy.cancel()
      await connection.rollback()
      expect(await connection.one("SELECT to_regclass('broken_off')::text AS found")).toEqual({ found: null })
    }
    await connection.close()
  },
)

test.skipIf(noPostgres !== null)(
  'a COPY that the server refuses says why, and can be cancelled',
  async () => {
    const address = postgresAddress(await sharedPostgres())
    const connection = await Connection.open({ address, schema: 'public', purpose: 'test' })
    await connection.begin()
    const copy = connection.startCopy('nowhere', ['number'])
    await expect(copy.end()).rejects.toMatchObject({ code: 'SCHEMA_MISSING' })
    await expect(copy.write(Buffer.from('1\n'))).rejects.toMatchObject({ code: 'SCHEMA_MISSING' })
    await copy.cancel()
    await connection.rollback()
    await connection.close()
  },
)
