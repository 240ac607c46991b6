import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { run } from './processes.mjs'

/** A package of its own, with its own lock: what only a benchmark needs never comes into the product's. */
const PEERS = fileURLToPath(new URL('../peers/', import.meta.url))

const requirePeer = createRequire(`${PEERS}package.json`)

/** @type {Promise<string | null> | null} */
let installation = null

/**
 * Why a package of `peers/` can't be measured, or null. Installs them all when it is first asked.
 *
 * @param {string} name
 * @returns {Promise<string | null>}
 */
export async function missingPackage(name) {
  installation ??= install()
  const failure = await installation
  if (failure !== null) return failure
  try {
    // In a process of its own: a native module that can't be loaded here may take its process with it.
    await run(process.execPath, ['-e', `require(${JSON.stringify(peerPath(name))})`])
    return null
  } catch (error) {
    return `it can't be loaded (${reason(error)})`
  }
}

/**
 * Why a program of `peers/` can't be started, or null. Installs them all when it is first asked.
 *
 * @param {string} name
 * @returns {Promise<string | null>}
 */
export async function missingProgram(name) {
  installation ??= install()
  return (await installation) ?? (peerVersion(name) === null ? `${name} isn't installed` : null)
}

/**
 * The path of a program of a package in `peers/`.
 *
 * @param {string} name
 * @param {string} file
 */
export function peerProgram(name, file) {
  return `${PEERS}node_modules/${name}/${file}`
}

/**
 * Where `require` finds a package of `peers/`.
 *
 * @param {string} name
 */
export function peerPath(name) {
  return requirePeer.resolve(name)
}

/**
 * Why a command can't be run, or null.
 *
 * @param {string} command
 * @param {readonly string[]} parameters of a run that changes nothing
 * @param {string} what of Debian has it
 */
export async function missingCommand(command, parameters, what) {
  try {
    await run(command, parameters)
    return null
  } catch {
    return `${command} isn't installed (Debian: ${what})`
  }
}

/** @param {string} name */
export function peerVersion(name) {
  const file = `${PEERS}node_modules/${name}/package.json`
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : null
}

async function install() {
  const { dependencies } = JSON.parse(readFileSync(`${PEERS}package.json`, 'utf8'))
  if (Object.keys(dependencies).every((name) => peerVersion(name) !== null)) return null
  try {
    await run('npm', ['ci', '--prefix', PEERS, '--no-audit', '--no-fund', '--ignore-scripts'])
    return null
  } catch (error) {
    return `npm ci --prefix test/bench/peers failed (${reason(error)})`
  }
}

/**
 * The one line of what npm or Node prints that says what went wrong.
 *
 * @param {unknown} error
 */
function reason(error) {
  const lines = (error instanceof Error ? error.message : String(error)).split('\n')
  const telling = lines.find((line) => /npm error code|^\w*Error\b/.test(line)) ?? lines[0] ?? ''
  return telling.trim().slice(0, 200)
}
