import { expect } from 'vitest'
import { projectOnce } from '../../../src/projection/index.js'
import { openDatabaseReadOnly, unpriced } from '../../../src/queries/index.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { test } from '../../support/workspace.js'

test('models and reasons with equal counts are in the order of their names, whatever that of the rows', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  const used = { input_tokens: 1, output_tokens: 1 }
  const unused = { input_tokens: null, output_tokens: null }
  writeSegment(
    journal,
    lines(
      requestLine('a', unused),
      requestLine('b', unused),
      requestLine('c', { provider: 'z', ...used }),
      requestLine('d', { provider: 'a', ...used }),
    ),
  )
  await projectOnce({ journal, database })
  const opened = openDatabaseReadOnly(database)
  const { unpriced: models, reasons } = unpriced(opened)
  opened.close()
  expect(models.map(({ provider }) => provider)).toEqual(['a', 'z'])
  expect(reasons.map(({ reason, requests }) => [reason, requests])).toEqual([
    ['no_price', 2],
    ['unknown_tokens', 2],
  ])
})
