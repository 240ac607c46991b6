import { describe, expect, test } from 'vitest'
import { isPassing, retryDelay } from '../../src/projection/retry.js'
import { delayBeforeLook, WakeUp } from '../../src/projection/wake-up.js'

test('looks soon after the last line, and each second in any case', () => {
  expect([0, 3, 40, 700, 1000, 1e9].map(delayBeforeLook)).toEqual([5, 5, 40, 700, 1000, 1000])
})

test('a database that refuses is tried again after 100 ms to 10 s', () => {
  expect([1, 2, 3, 7, 8, 100].map(retryDelay)).toEqual([100, 200, 400, 6400, 10_000, 10_000])
})

test('only what waiting can heal is waited for', () => {
  const passing = [
    'SQLITE_BUSY',
    'SQLITE_BUSY_SNAPSHOT',
    'SQLITE_FULL',
    'SQLITE_IOERR_WRITE',
    'SQLITE_READONLY',
  ]
  for (const code of passing) expect(isPassing({ code })).toBe(true)
  for (const code of ['SQLITE_CORRUPT', 'SQLITE_NOTADB', 'SQLITE_CONSTRAINT', 'ENOENT', undefined]) {
    expect(isPassing({ code })).toBe(false)
  }
})

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
