import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { describe, expect, test } from 'vitest'
import { JournalError } from '../../src/journal/errors.js'
import { NameNotDurableError } from '../../src/journal/file-system.js'
import { isTransient, retryDelay, withJitter } from '../../src/projection/transient-errors.js'
import { delayBeforeLook, WakeUp } from '../../src/projection/wake-up.js'
import { ProjectionError } from '../../src/store/errors.js'

test('looks soon after the last line, and each second in any case', () => {
  expect([0, 3, 40, 700, 1000, 1e9].map(delayBeforeLook)).toEqual([5, 5, 40, 700, 1000, 1000])
})

test('a database that refuses is tried again after 100 ms to 10 s', () => {
  expect([1, 2, 3, 7, 8, 100].map(retryDelay)).toEqual([100, 200, 400, 6400, 10_000, 10_000])
})

test('hosts that fail at once try again at times of their own: after half to all of the delay', () => {
  expect([0, 0.5, 1].map((random) => withJitter(1000, random))).toEqual([500, 750, 1000])
})

test('only what waiting can heal is waited for', () => {
  const temporary = [
    'SQLITE_BUSY',
    'SQLITE_BUSY_SNAPSHOT',
    'SQLITE_FULL',
    'SQLITE_IOERR_WRITE',
    'SQLITE_READONLY',
  ]
  for (const code of temporary) expect(isTransient({ code })).toBe(true)
  for (const code of ['SQLITE_CORRUPT', 'SQLITE_NOTADB', 'SQLITE_CONSTRAINT', 'ENOENT', undefined]) {
    expect(isTransient({ code })).toBe(false)
  }
})

test.each<[string, Error, boolean]>([
  ['no descriptor is free', systemError('EMFILE'), true],
  ['a segment can’t be opened for want of permission', unreadable(systemError('EACCES')), true],
  ['the disk fails to read a segment', unreadable(systemError('EIO')), true],
  // As Node.js tells of them: most versions have no name for these.
  ['a file’s handle is stale', unreadable(systemError(getSystemErrorName(-constants.errno.ESTALE))), true],
  ['a quota is used up', systemError(getSystemErrorName(-constants.errno.EDQUOT)), true],
  ['a segment is a link', unreadable(systemError('ELOOP')), false],
  ['an archive is damaged', unreadable(systemError('Z_DATA_ERROR')), false],
  ['the directory can’t be opened to sync it', new NameNotDurableError('d', systemError('EMFILE')), true],
  [
    'the journal is away before its name is synced',
    new NameNotDurableError('d', systemError('ENOENT')),
    true,
  ],
  [
    'a sync failed',
    new ProjectionError('SEGMENT_SYNC_FAILED', 'p', 'x', { cause: systemError('EIO') }),
    false,
  ],
  ['a segment was replaced', new ProjectionError('SEGMENT_REPLACED', 'p', 'x'), false],
  ['there is no journal', new JournalError('JOURNAL_MISSING', 'p', 'x'), true],
  ['the journal has another format', new JournalError('JOURNAL_INVALID', 'p', 'x'), false],
])('a fault of the system or the journal, %s: waited for or not', (_, error, isWaitedFor) => {
  expect(isTransient(error)).toBe(isWaitedFor)
})

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

function unreadable(cause: Error): JournalError {
  return new JournalError('SEGMENT_UNREADABLE', 'p', 'x', { cause })
}

describe('a wake-up', () => {
  test('waits no longer than for a hint, also one that came before', async () => {
    const wakeUp = new WakeUp()
    wakeUp.hint()
    await wakeUp.wait(1e9)
    const waiting = wakeUp.wait(1e9)
    wakeUp.hint()
    await waiting
    await wakeUp.close()
  })

  test('pauses through hints, and ends at once when it is told to', async () => {
    const wakeUp = new WakeUp()
    let isOver = false
    const pause = wakeUp.pause(1e9).then(() => {
      isOver = true
    })
    wakeUp.hint()
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver).toBe(false)
    wakeUp.end()
    await pause
    await wakeUp.pause(1e9)
    await wakeUp.close()
  })
})
