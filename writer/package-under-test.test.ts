import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loggedFetch } from '../src/clients/fetch/logged-fetch.js'
import { JournalError, openJournal } from '../src/index.js'
import { openJournalWith } from '../src/journal/append/journal.js'

const directory = process.env['REQUEST_JOURNAL_WRITER'] ?? ''

test('what the tests import of the sources comes from the package', async () => {
  const index = await import(join(directory, 'index.js'))
  const fetch = await import(join(directory, 'fetch.js'))
  const ports = await import(join(directory, 'ports.js'))
  expect(openJournal).toBe(index.openJournal)
  expect(JournalError).toBe(index.JournalError)
  expect(loggedFetch).toBe(fetch.loggedFetch)
  expect(openJournalWith).toBe(ports.openJournalWith)
})
