import { expect, test } from 'vitest'
import { readPage } from '../support/pages.js'
import { FAULTS } from './faults.js'

test('docs/faults.md has a row for each class, in the order in which they run', () => {
  const documented = [...readPage('docs/faults.md').matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name)
  expect(documented).toEqual(FAULTS.map(({ name }) => name))
})
