import { readdirSync, readlinkSync } from 'node:fs'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, expect, test, vi } from 'vitest'
import { openJournal, openJournalWith } from '../../../src/journal/append/journal.js'
import { FaultyFileSystem } from '../../support/faulty-file-system.js'
import { log, namesIn, opened, TestLogger, temporaryDirectory } from '../support.js'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

afterEach(() => {
  vi.useRealTimers()
})

function openSegments(directory: string): number {
  const paths = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      // Closed since it was listed.
      return ''
    }
  })
  return paths.filter((path) => path.startsWith(directory)).length
}

test.skipIf(process.platform !== 'linux')(
  'journals that nobody refers to any more give their descriptors back (needs /proc)',
  async () => {
    const directory = temporaryDirectory()
    const names = Array.from({ length: 20 }, (_, i) => `${i}`)
    for (const name of names) openJournal({ directory, fsync: 'no' }).record(log(name))
    expect(openSegments(directory)).toBe(20)
    while (openSegments(directory) > 0) {
      collectGarbage()
      // A collected object is reported some turns later, and waiting for that costs less than
      // collecting again.
      for (let turn = 0; turn < 10; turn++) await nextTurn()
    }
    expect(namesIn(directory)).toEqual(names)
  },
)

test('events that the disk has refused keep their journal until they are written', async () => {
  const directory = temporaryDirectory()
  const faulty = new FaultyFileSystem()
  const options = { directory, fsync: 'no' as const, logger: new TestLogger() }
  const forget = () => {
    const journal = openJournalWith(options, { fs: faulty.fs, clock: Date })
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: Number.POSITIVE_INFINITY })
    journal.record(log('a'))
    journal.record(log('b'))
  }
  forget()
  // One or two take what nobody refers to.
  for (let i = 0; i < 4; i++) {
    collectGarbage()
    await nextTurn()
  }
  faulty.heal()
  while (namesIn(directory).length < 2) await sleep(5)
  expect(namesIn(directory)).toEqual(['a', 'b'])
})

test('many journals whose disk refuses share one listener of the process', async () => {
  const before = process.listenerCount('exit')
  const refusing = Array.from({ length: 12 }, () => opened())
  for (const { journal, faulty } of refusing) {
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: Number.POSITIVE_INFINITY })
    journal.record(log('a'))
  }
  expect(process.listenerCount('exit')).toBe(before + 1)
  for (const { faulty } of refusing) faulty.heal()
  for (const { journal } of refusing) await journal.close()
  expect(process.listenerCount('exit')).toBe(before)
})

test.each([['before it is opened'], ['while it is open']])(
  'fake timers %s stop neither flush nor close',
  async (when) => {
    const directory = temporaryDirectory()
    if (when === 'before it is opened') vi.useFakeTimers()
    const journal = openJournal({ directory })
    journal.record(log('a'))
    if (when === 'while it is open') vi.useFakeTimers()
    await journal.flush()
    journal.record(log('b'))
    await journal.close()
    expect(namesIn(directory)).toEqual(['a', 'b'])
  },
)
