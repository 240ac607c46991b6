import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { OWN_CHECKOUT } from '../harness/checkouts.mjs'
import { configuration } from './support.mjs'

// The library of the checkout that the parent names, by its package's entry points: files inside it may have moved.
const { resolve } = createRequire(join(configuration.checkout ?? OWN_CHECKOUT, 'package.json'))

/** @returns {Promise<typeof import('request-journal')>} */
export function importJournal() {
  return importEntry('request-journal')
}

/** @returns {Promise<typeof import('request-journal/projection')>} */
export function importProjection() {
  return importEntry('request-journal/projection')
}

/** @returns {Promise<typeof import('request-journal/queries')>} */
export function importQueries() {
  return importEntry('request-journal/queries')
}

/** @param {string} entry */
function importEntry(entry) {
  return import(pathToFileURL(resolve(entry)).href)
}
