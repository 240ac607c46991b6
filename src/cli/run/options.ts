import { resolve } from 'node:path'
import { InvalidArgumentError } from 'commander'
import { s3Address } from '../../maintenance/objects/s3-address.js'
import { QueryError } from '../../queries/errors.js'
import { TimeZone } from '../../queries/window/time-zone.js'
import { instantOf } from '../../queries/window/window-words.js'
import { isPostgresAddress, postgresAddress } from '../../store/postgres/connection/address.js'

/** Makes a parser of whole numbers within a range. */
export function wholeNumberBetween(least: number, greatest: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= greatest) return value
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${greatest}.`)
  }
}

/** Makes a parser that takes a text as it is if it meets a condition. */
export function textThat(isRight: (text: string) => boolean, expected: string): (text: string) => string {
  return (text) => {
    if (isRight(text)) return text
    throw new InvalidArgumentError(expected)
  }
}

/** Checks words that name an instant. Which instant that is depends on `--timezone`. */
export const parseTime = textThat(
  (text) => instantOf(text, 'start', Date.now()) !== null,
  'Expected a date, a time (UTC without an offset or --timezone) or how long ago: 2026-11-22, ' +
    '2026-11-22T19:43, 2026-11-22T19:43:00+01:00, yesterday, 90m, 2d.',
)

export function parseTimeZone(name: string): TimeZone {
  try {
    return new TimeZone(name)
  } catch (error) {
    throw error instanceof QueryError ? new InvalidArgumentError(`${error.message}.`) : error
  }
}

/** Parses the path of a database file, or the address of a PostgreSQL database. */
export function parseDatabase(text: string): string {
  return isPostgresAddress(text) ? checkedAddress(text, postgresAddress) : parsePath(text)
}

/** Parses the address of a place in an object store. */
export function parseS3(text: string): string {
  return checkedAddress(text, s3Address)
}

/** @param takeApart throws an error that says what is wrong with the address. */
function checkedAddress(text: string, takeApart: (text: string) => unknown): string {
  try {
    takeApart(text)
    return text
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

/** Parses the path of a database file, for a command that doesn't work with PostgreSQL. */
export function parseDatabaseFile(text: string): string {
  if (!isPostgresAddress(text)) return parsePath(text)
  throw new InvalidArgumentError('This command takes the file of an SQLite database only.')
}

/**
 * Parses a path, and refuses an option that was taken for one. The path is resolved here, so that
 * every message and log names the same place in the same words, whatever directory its reader is
 * in.
 */
export function parsePath(text: string): string {
  if (text === '') throw new InvalidArgumentError('Expected a path, found nothing.')
  // In `--journal --json` the value was forgotten, and the next option was taken for it.
  if (text.startsWith('-')) {
    throw new InvalidArgumentError(`Expected a path; write ./${text} for a path that begins with a dash.`)
  }
  return resolve(text)
}
