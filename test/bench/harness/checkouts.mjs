import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the checkout that this benchmark belongs to. */
export const OWN_CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url))

/**
 * The built command of a checkout, as its users start it.
 *
 * @param {string} checkout
 */
export function cliOf(checkout) {
  return join(checkout, 'dist/cli/main.js')
}

/**
 * Why a folder can't be measured as another checkout of this project, or null.
 *
 * @param {string} directory
 * @returns {string | null}
 */
export function whyNoCheckout(directory) {
  if (packageName(directory) !== 'request-journal') {
    return `found ${directory}, expected a checkout of request-journal`
  }
  if (existsSync(cliOf(directory)) && existsSync(join(directory, 'node_modules'))) return null
  return `${directory} isn't built: run npm install and npm run build there`
}

/** @param {string} directory */
function packageName(directory) {
  try {
    return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')).name
  } catch {
    // A package.json that is missing or isn't JSON is no checkout's.
    return null
  }
}
