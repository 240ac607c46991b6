import { expect, test } from 'vitest'
import { fold, keysOf } from '../../../src/folds/requests.js'
import { isTransient } from '../../../src/projection/transient-errors.js'
import { ended, logged } from '../../folds/given.js'
import { ask } from '../../support/fleet-checker.js'
import { noPostgres } from '../../support/postgres.js'
import { newStore } from './support.js'

test.skipIf(noPostgres !== null)(
  'a row that is deleted between its look-up and its change isn’t made anew: the batch is projected again',
  async () => {
    const { store, database: address, schema } = await newStore('gone')
    const request = [logged('a', 0, { streaming: true })]
    const completion = [ended('a', 10)]

    const first = await store.begin('usual')
    await first.apply(fold(await first.load(keysOf(request)), request))
    await first.commit()
    const second = await store.begin('usual')
    const known = await second.load(keysOf(completion))
    await ask(address, `DELETE FROM ${schema}.requests`)
    await second.apply(fold(known, completion))
    const failure = await second.commit().catch((error) => error)
    await second.rollback()
    expect(failure).toMatchObject({
      code: 'TABLES_RESTORED',
      message: expect.stringContaining('a row of requests that was there a moment ago is gone'),
    })
    expect(isTransient(failure)).toBe(true)
    expect(await ask(address, `SELECT * FROM ${schema}.requests`)).toEqual([])
    await store.close()
  },
)
