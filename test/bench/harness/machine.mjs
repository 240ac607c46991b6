import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { OWN_CHECKOUT } from './checkouts.mjs'
import { peerVersion } from './peers.mjs'

const require = createRequire(import.meta.url)

/**
 * Where a run was: figures of two machines can't be compared, only their ratios.
 *
 * @param {string} directory where the temporary files lie
 */
export function describeMachine(directory) {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory_bytes: totalmem(),
    kernel: `${type()} ${release()}`,
    file_system: firstWords('stat', ['--file-system', '--format=%T', directory]),
    node: process.versions.node,
  }
}

/** @param {readonly string[]} checkouts this one, and the one of `--against` */
export function describeVersions([, other]) {
  const SQLite = require('better-sqlite3')
  const database = new SQLite(':memory:')
  const sqlite = database.prepare('SELECT sqlite_version()').pluck().get()
  database.close()
  return {
    'request-journal': versionOf(OWN_CHECKOUT),
    ...(other === undefined ? {} : { other: versionOf(other) }),
    'better-sqlite3': require('better-sqlite3/package.json').version,
    sqlite,
    pino: require('pino/package.json').version,
    winston: peerVersion('winston'),
    '@duckdb/node-api': peerVersion('@duckdb/node-api'),
    '@portkey-ai/gateway': peerVersion('@portkey-ai/gateway'),
    'sqlite3 shell': firstWords('sqlite3', ['--version'])?.split(' ')[0] ?? null,
  }
}

/**
 * With the commit, where git knows it.
 *
 * @param {string} checkout
 */
function versionOf(checkout) {
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'))
  const commit = firstWords('git', ['-C', checkout, 'rev-parse', '--short', 'HEAD'])
  return commit === null ? version : `${version} (${commit})`
}

/**
 * @param {string} command
 * @param {readonly string[]} parameters
 * @returns {string | null}
 */
function firstWords(command, parameters) {
  try {
    return execFileSync(command, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return null
  }
}
