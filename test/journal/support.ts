import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect, onTestFinished } from 'vitest'
import { type Journal, openJournalWith } from '../../src/journal/append/journal.js'
import type { JournalOptions } from '../../src/journal/append/options.js'
import { JournalWriteError } from '../../src/journal/errors.js'
import type { JournalLogger } from '../../src/journal/logger.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'

export const DAY = '2026-11-22'
export const SEGMENT = `${DAY}.ndjson`
export const NEXT_SEGMENT = `${DAY}_001.ndjson`

/** Removed after the test. A hook of this module would be that of the first file only: files share their modules. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export class TestClock {
  #now: number

  constructor(at = `${DAY}T19:43:00.123Z`) {
    this.#now = Date.parse(at)
  }

  now(): number {
    return this.#now
  }

  set(at: string): void {
    this.#now = Date.parse(at)
  }

  advance(ms: number): void {
    this.#now += ms
  }
}

export interface Logged {
  level: 'warn' | 'error'
  fields: Record<string, unknown>
  message: string
}

export class TestLogger implements JournalLogger {
  readonly logged: Logged[] = []

  warn(fields: object, message: string): void {
    this.logged.push({ level: 'warn', fields: { ...fields }, message })
  }

  error(fields: object, message: string): void {
    this.logged.push({ level: 'error', fields: { ...fields }, message })
  }

  get messages(): string[] {
    return this.logged.map(({ message }) => message)
  }
}

export interface Opened {
  journal: Journal
  directory: string
  clock: TestClock
  logger: TestLogger
  faulty: FaultyFileSystem
}

/** A journal on a file system that can fail and a clock that stands still; it is closed after the test. */
export function opened(
  options: JournalOptions & { directory?: string } = {},
  ports: { clock?: TestClock; faulty?: FaultyFileSystem } = {},
): Opened {
  const { clock = new TestClock(), faulty = new FaultyFileSystem() } = ports
  const logger = new TestLogger()
  const directory = options.directory ?? join(temporaryDirectory(), 'journal')
  // 'no' unless the test is about it: no timer syncs unnoticed by the test.
  const journal = openJournalWith({ logger, fsync: 'no', ...options, directory }, { fs: faulty.fs, clock })
  onTestFinished(async () => {
    faulty.heal()
    // A journal whose segment was lost says so once more, and closes then.
    await journal.close().catch(() => journal.close())
  })
  return { journal, directory, clock, logger, faulty }
}

export function log(name: string, more: object = {}) {
  return { correlation_id: name, model: 'gpt-5', latency_ms: 12, success: true, ...more }
}

export function segmentsOf(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.includes('.ndjson'))
    .sort()
}

export function textOf(directory: string, segment = SEGMENT): string {
  return readFileSync(join(directory, segment), 'utf8')
}

/** The correlation_ids of every event in the journal, in order. */
export function namesIn(directory: string): unknown[] {
  return segmentsOf(directory)
    .filter((name) => name.endsWith('.ndjson'))
    .flatMap((segment) => readSegment(readFileSync(join(directory, segment))))
    .map((event) => event['correlation_id'])
}

/**
 * Reads a segment as journal/README.md says, sharing no code with the program: whole lines; of one that doesn't hold,
 * every stretch from a start to an end whose checksum holds.
 */
export function readSegment(bytes: Buffer): Record<string, unknown>[] {
  const text = bytes.toString('latin1')
  const lines = text.split('\n')
  // What stands after the last newline isn't a line yet.
  lines.pop()
  return lines.flatMap((line) => (line.trim() === '' ? [] : (wholeEvent(line) ?? stretches(line))))
}

function wholeEvent(line: string): Record<string, unknown>[] | null {
  const found = /^(.*),"crc32":"([0-9a-f]{8})"\}$/s.exec(line)
  if (found === null || checksum(found[1] ?? '') !== found[2]) return null
  return [JSON.parse(Buffer.from(line, 'latin1').toString('utf8'))]
}

function stretches(line: string): Record<string, unknown>[] {
  const events: Record<string, unknown>[] = []
  let from = 0
  for (const end of line.matchAll(/,"crc32":"[0-9a-f]{8}"\}/g)) {
    const last = end.index + end[0].length
    for (const start of line.matchAll(/\{"type":/g)) {
      if (start.index < from || start.index > end.index) continue
      const event = wholeEvent(line.slice(start.index, last))
      if (event === null) continue
      events.push(...event)
      from = last
      break
    }
  }
  return events
}

function checksum(latin1: string): string {
  return crc32(Buffer.from(latin1, 'latin1')).toString(16).padStart(8, '0')
}

export async function rejectionOf(promise: Promise<unknown>): Promise<JournalWriteError> {
  const outcome = await promise.then(
    () => new Error('expected a rejection, it resolved'),
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(JournalWriteError)
  return outcome as JournalWriteError
}

export function writeErrorOf(act: () => unknown): JournalWriteError {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(JournalWriteError)
    return error as JournalWriteError
  }
  throw new Error('expected a JournalWriteError, nothing was thrown')
}
