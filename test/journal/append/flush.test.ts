import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { FaultyFileSystem } from '../../support/faulty-file-system.js'
import { log, NEXT_SEGMENT, namesIn, opened, rejectionOf, SEGMENT } from '../support.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))

async function syncs(faulty: FaultyFileSystem, count: number): Promise<void> {
  while (faulty.callsOf('fdatasync').length < count) await turn()
}

function gate() {
  let open = () => {}
  const until = new Promise<void>((resolve) => {
    open = resolve
  })
  return { until, open }
}

describe('group commit', () => {
  test('a hundred flushes at once cost one fdatasync', async () => {
    const { journal, faulty } = opened()
    journal.append(log('a'))
    await Promise.all(Array.from({ length: 100 }, () => journal.flush()))
    expect(faulty.callsOf('fdatasync')).toHaveLength(1)
  })

  test('a hundred that append and flush while one runs cost one more', async () => {
    const { journal, faulty } = opened()
    const { until, open } = gate()
    faulty.add({ call: 'fdatasync', effect: { until } })
    journal.append(log('a'))
    const first = journal.flush()
    await syncs(faulty, 1)
    const others = Array.from({ length: 100 }, (_, i) => {
      journal.append(log(`${i}`))
      return journal.flush()
    })
    open()
    await Promise.all([first, ...others])
    expect(faulty.callsOf('fdatasync')).toHaveLength(2)
  })

  test('writers that wait in a ring share their syncs', async () => {
    const { journal, faulty } = opened()
    const writer = async (name: string) => {
      for (let i = 0; i < 10; i++) {
        journal.append(log(`${name}-${i}`))
        await journal.flush()
      }
    }
    await Promise.all(Array.from({ length: 20 }, (_, i) => writer(`${i}`)))
    expect(faulty.callsOf('fdatasync').length).toBeLessThanOrEqual(11)
  })
})

describe('what it promises', () => {
  test('the sync begins after the write, and the directory is synced before it resolves', async () => {
    const { journal, faulty } = opened()
    journal.append(log('a'))
    await journal.flush()
    const calls = faulty.calls.map(({ name, file }) => `${name} ${file}`)
    const synced = calls.indexOf(`fdatasync ${SEGMENT}`)
    expect(synced).toBeGreaterThan(calls.lastIndexOf(`writeSync ${SEGMENT}`))
    expect(calls.indexOf('fsync journal')).toBeGreaterThan(-1)
    journal.append(log('b'))
    await journal.flush()
    expect(faulty.callsOf('fdatasync')).toHaveLength(2)
    // Once is enough for a name.
    expect(faulty.callsOf('fsync', /./)).toHaveLength(1)
  })

  test('the directory is synced for each segment, whoever created it', async () => {
    const { journal, directory, clock } = opened()
    await journal.flush()
    const second = opened({ directory })
    second.journal.append(log('a'))
    await second.journal.flush()
    expect(second.faulty.callsOf('fsync', /^journal$/)).toHaveLength(1)
    second.clock.set('2026-11-23T00:00:00Z')
    clock.set('2026-11-23T00:00:00Z')
    journal.append(log('b'))
    second.journal.append(log('c'))
    await second.journal.flush()
    expect(second.faulty.callsOf('fsync', /^journal$/)).toHaveLength(2)
  })

  test('a sync doesn’t cover the bytes that are written while it runs', async () => {
    const { journal, faulty } = opened()
    const { until, open } = gate()
    faulty.add({ call: 'fdatasync', effect: { until } })
    journal.append(log('a'))
    const first = journal.flush()
    await syncs(faulty, 1)
    journal.append(log('b'))
    let isDone = false
    const second = journal.flush().then(() => {
      isDone = true
    })
    open()
    await first
    expect(isDone).toBe(false)
    await second
    const calls = faulty.calls.filter(({ file }) => file === SEGMENT).map(({ name }) => name)
    expect(calls.lastIndexOf('fdatasync')).toBeGreaterThan(calls.lastIndexOf('writeSync'))
  })

  test('the events that wait in memory are written first', async () => {
    const { journal, directory, faulty } = opened()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' } })
    journal.record(log('a'))
    await journal.flush()
    expect(namesIn(directory)).toStrictEqual(['a'])
    expect(faulty.callsOf('fdatasync')).toHaveLength(1)
  })

  test('every flush of a sync that fails rejects, and the ones after it don’t', async () => {
    const { journal, faulty } = opened()
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    const flushes = [journal.flush(), journal.flush(), journal.flush()]
    for (const flush of flushes) expect((await rejectionOf(flush)).code).toBe('SYNC_FAILED')
    await journal.flush()
    await journal.close()
  })

  test('a flush called while a sync runs that fails rejects too: its events may be among the lost', async () => {
    const { journal, faulty } = opened()
    const { until, open } = gate()
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    faulty.add({ call: 'fdatasync', effect: { until } })
    journal.append(log('a'))
    const first = rejectionOf(journal.flush())
    // Appended before the sync began, like the first one's.
    journal.append(log('b'))
    await syncs(faulty, 1)
    const second = rejectionOf(journal.flush())
    open()
    expect((await first).code).toBe('SYNC_FAILED')
    expect((await second).code).toBe('SYNC_FAILED')
    await journal.flush()
  })
})

describe('each second, without being asked', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  test('a segment that was written to is synced, and an idle one is left alone', async () => {
    const { journal, faulty } = opened({ fsync: 'everysec' })
    await vi.advanceTimersByTimeAsync(5000)
    expect(faulty.callsOf('fdatasync')).toHaveLength(0)
    journal.append(log('a'))
    await vi.advanceTimersByTimeAsync(1000)
    await syncs(faulty, 1)
    // The directory's sync comes last.
    while (faulty.openFiles.includes('journal') || faulty.callsOf('fsync', /^journal$/).length === 0)
      await turn()
    await turn()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(faulty.callsOf('fdatasync')).toHaveLength(1)
    journal.record(log('b'))
    await vi.advanceTimersByTimeAsync(1000)
    await syncs(faulty, 2)
  })

  test('a segment that was flushed meanwhile isn’t synced again', async () => {
    const { journal, faulty } = opened({ fsync: 'everysec' })
    journal.append(log('a'))
    await journal.flush()
    await vi.advanceTimersByTimeAsync(3000)
    expect(faulty.callsOf('fdatasync')).toHaveLength(1)
  })

  test('with fsync no only flush syncs', async () => {
    const { journal, faulty } = opened({ fsync: 'no' })
    journal.append(log('a'))
    expect(vi.getTimerCount()).toBe(0)
    await journal.flush()
    expect(faulty.callsOf('fdatasync')).toHaveLength(1)
  })

  test.each(['everysec', 'no'] as const)(
    '%s: the buffer is tried again, with no further event',
    async (fsync) => {
      const { journal, directory, faulty } = opened({ fsync })
      faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: 2 })
      journal.record(log('a'))
      await vi.advanceTimersByTimeAsync(1000)
      await vi.waitUntil(() => vi.getTimerCount() === 1)
      expect(journal.counters.buffered).toBe(1)
      await vi.advanceTimersByTimeAsync(1000)
      expect(journal.counters).toMatchObject({ buffered: 0, appended: 1 })
      expect(namesIn(directory)).toStrictEqual(['a'])
    },
  )

  test('a failure makes the next flush reject, exactly once', async () => {
    const { journal, directory, faulty, logger } = opened({ fsync: 'everysec' })
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    await vi.advanceTimersByTimeAsync(1000)
    await vi.waitUntil(() => logger.logged.length > 0)
    journal.append(log('b'))
    expect(await rejectionOf(journal.flush())).toMatchObject({ code: 'SYNC_FAILED', cause: { code: 'EIO' } })
    await journal.flush()
    await journal.close()
    expect(namesIn(directory)).toStrictEqual(['a', 'b'])
    expect(faulty.callsOf('fdatasync').at(-1)?.file).toBe(NEXT_SEGMENT)
  })

  test('several flushes at once after such a failure all reject', async () => {
    const { journal, faulty, logger } = opened({ fsync: 'everysec' })
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    await vi.advanceTimersByTimeAsync(1000)
    await vi.waitUntil(() => logger.logged.length > 0)
    const flushes = [journal.flush(), journal.flush()]
    for (const flush of flushes) expect((await rejectionOf(flush)).code).toBe('SYNC_FAILED')
    await journal.flush()
  })

  test('a flush that shares the sync of the timer gets its failure, and the next one doesn’t', async () => {
    const { journal, faulty } = opened({ fsync: 'everysec' })
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    vi.advanceTimersByTime(1000)
    expect((await rejectionOf(journal.flush())).code).toBe('SYNC_FAILED')
    await journal.flush()
    expect(faulty.callsOf('fdatasync')).toHaveLength(2)
  })

  test('a failure that close rejects with leaves the journal open, and its timer running', async () => {
    const { journal, directory, faulty } = opened({ fsync: 'everysec' })
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    expect((await rejectionOf(journal.close())).code).toBe('SYNC_FAILED')
    journal.append(log('b'))
    await vi.advanceTimersByTimeAsync(1000)
    await syncs(faulty, 2)
    await journal.close()
    expect(vi.getTimerCount()).toBe(0)
    expect(namesIn(directory)).toStrictEqual(['a', 'b'])
    expect(faulty.openFiles).toStrictEqual([])
  })
})
