// Appends a price of each model that is valid from the first day on, and so changes the cost of every row.
import { pricesOf } from '../harness/events.mjs'
import { importJournal } from './library.mjs'
import { answer, configuration, monotonicNs } from './support.mjs'

const { directory, fromMs } = configuration
const { openJournal } = await importJournal()
const journal = openJournal({ directory })
const startedNs = monotonicNs()
for (const price of pricesOf({ fromMs, factor: 1.1 })) {
  journal.append(/** @type {any} */ ({ type: 'price_set', ...price }))
}
await journal.close()
answer({ startedNs })
