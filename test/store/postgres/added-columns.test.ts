import { expect, test } from 'vitest'
import { fold, keysOf } from '../../../src/folds/requests.js'
import { ended, logged } from '../../folds/given.js'
import { ask } from '../../support/fleet-checker.js'
import { noPostgres } from '../../support/postgres.js'
import { newStore } from './support.js'

test.skipIf(noPostgres !== null)(
  'completions change rows of a table to which somebody has added columns, and leave those as they are',
  async () => {
    const { store, database: address, schema } = await newStore('added')
    await ask(
      address,
      `ALTER TABLE ${schema}.requests ADD COLUMN note TEXT NOT NULL DEFAULT 'none',
         ADD COLUMN tokens BIGINT GENERATED ALWAYS AS (input_tokens + output_tokens) STORED`,
    )
    const request = [logged('a', 0, { streaming: true })]
    const completion = [ended('a', 10, { input_tokens: 2, output_tokens: 3 })]

    for (const items of [request, completion]) {
      const transaction = await store.begin('usual')
      await transaction.apply(fold(await transaction.load(keysOf(items)), items))
      await transaction.commit()
      await ask(address, `UPDATE ${schema}.requests SET note = 'mine'`)
    }
    const rows = await ask(address, `SELECT note, tokens::int AS tokens FROM ${schema}.requests`)
    expect(rows).toEqual([{ note: 'mine', tokens: 5 }])
    await store.close()
  },
)
