import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FaultyFileSystem } from '../../support/faulty-file-system.js'
import {
  log,
  NEXT_SEGMENT,
  namesIn,
  opened,
  rejectionOf,
  SEGMENT,
  segmentsOf,
  TestClock,
  textOf,
  writeErrorOf,
} from '../support.js'

const MARKER = `${SEGMENT}.distrusted`
const LOST = 'Journal segment lost: events since the last flush may be gone'

/** Where each event is. */
function placesIn(directory: string): [string, unknown[]][] {
  return segmentsOf(directory)
    .filter((name) => name.endsWith('.ndjson'))
    .map((name) => [
      name,
      [...textOf(directory, name).matchAll(/"correlation_id":"([^"]*)"/g)].map((m) => m[1]),
    ])
}

describe('rolling', () => {
  test('happens at midnight UTC, at the next look', () => {
    const { journal, directory, clock } = opened({}, { clock: new TestClock('2026-11-22T23:59:59.400Z') })
    journal.append(log('a'))
    clock.set('2026-11-22T23:59:59.999Z')
    journal.append(log('b'))
    clock.set('2026-11-23T00:00:00.400Z')
    journal.append(log('c'))
    expect(placesIn(directory)).toStrictEqual([
      ['2026-11-22.ndjson', ['a', 'b']],
      ['2026-11-23.ndjson', ['c']],
    ])
  })

  test('goes straight to today after days without an event', () => {
    const { journal, directory, clock } = opened()
    journal.append(log('a'))
    clock.set('2026-12-01T00:00:00Z')
    journal.record(log('b'))
    expect(placesIn(directory)).toStrictEqual([
      ['2026-11-22.ndjson', ['a']],
      ['2026-12-01.ndjson', ['b']],
    ])
  })

  test('never goes backward: a clock that steps back changes nothing', async () => {
    const { journal, directory, clock } = opened()
    journal.append(log('a'))
    clock.set('2026-11-21T12:00:00Z')
    journal.append(log('b'))
    clock.advance(1000)
    journal.append(log('c'))
    await journal.flush()
    expect(placesIn(directory)).toStrictEqual([['2026-11-22.ndjson', ['a', 'b', 'c']]])
    // A writer that opens by such a clock goes where the others are.
    opened({ directory }, { clock: new TestClock('2026-11-20T00:00:00Z') }).journal.append(log('d'))
    expect(placesIn(directory)).toStrictEqual([['2026-11-22.ndjson', ['a', 'b', 'c', 'd']]])
  })

  test('follows another writer to a greater segment within a second', () => {
    const { journal, directory, clock } = opened()
    journal.append(log('a'))
    opened({ directory }, { clock: new TestClock('2026-11-24T00:00:00Z') }).journal.append(log('ahead'))
    clock.advance(1000)
    journal.append(log('b'))
    expect(placesIn(directory)).toStrictEqual([
      ['2026-11-22.ndjson', ['a']],
      ['2026-11-24.ndjson', ['ahead', 'b']],
    ])
  })

  test('follows also if the directory changed in the same tick as it was last listed, long ago', () => {
    // The directory's time of change is the host's, so the clock of this test is too.
    const at = Math.trunc(Date.now() / 1000) * 1000
    const clock = new TestClock(new Date(at).toISOString())
    const { journal, directory } = opened({}, { clock })
    const [today] = segmentsOf(directory)
    const later = `${today?.slice(0, 10)}_005.ndjson`
    const sameTick = () => utimesSync(directory, at / 1000, at / 1000)
    sameTick()
    clock.advance(1000)
    journal.append(log('a'))
    writeFileSync(join(directory, later), '')
    sameTick()
    clock.advance(60_000)
    journal.append(log('b'))
    expect(placesIn(directory)).toStrictEqual([
      [today, ['a']],
      [later, ['b']],
    ])
  })

  test('a directory that doesn’t change isn’t listed each second', () => {
    const clock = new TestClock(new Date().toISOString())
    const { journal, directory, faulty } = opened({}, { clock })
    utimesSync(directory, 1_000_000_000, 1_000_000_000)
    for (let i = 0; i < 2; i++) {
      clock.advance(1000)
      journal.append(log('a'))
    }
    const before = faulty.callsOf('readdirSync', /./).length
    for (let i = 0; i < 10; i++) {
      clock.advance(1000)
      journal.append(log('a'))
    }
    expect(faulty.callsOf('readdirSync', /./)).toHaveLength(before)
  })

  test('looks at nothing more within a second', () => {
    const { journal, faulty } = opened()
    const before = faulty.calls.length
    for (let i = 0; i < 100; i++) journal.append(log('a'))
    expect(faulty.calls.slice(before).filter(({ name }) => name !== 'writeSync')).toStrictEqual([])
  })

  test('leaves a segment whose lines the next flush syncs, and closes its descriptor then', async () => {
    const { journal, clock, faulty } = opened()
    journal.append(log('a'))
    clock.set('2026-11-23T00:00:00Z')
    journal.append(log('b'))
    clock.set('2026-11-24T00:00:00Z')
    journal.append(log('c'))
    await journal.flush()
    expect(faulty.callsOf('fdatasync').map(({ file }) => file)).toStrictEqual([
      '2026-11-22.ndjson',
      '2026-11-23.ndjson',
      '2026-11-24.ndjson',
    ])
    expect(faulty.openFiles).toStrictEqual(['2026-11-24.ndjson'])
  })

  test('closes a segment at once if all its lines are synced', async () => {
    const { journal, clock, faulty } = opened()
    journal.append(log('a'))
    await journal.flush()
    clock.set('2026-11-23T00:00:00Z')
    journal.append(log('b'))
    expect(faulty.openFiles).toStrictEqual(['2026-11-23.ndjson'])
  })

  test('waits until a torn line is made good', () => {
    const { journal, directory, clock, faulty } = opened()
    faulty.add({ call: 'writeSync', effect: { takes: 20 } })
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' } })
    journal.record(log('a'))
    clock.set('2026-11-23T00:00:00Z')
    journal.record(log('b'))
    clock.advance(1000)
    journal.record(log('c'))
    expect(namesIn(directory)).toStrictEqual(['a', 'b', 'c'])
    expect(placesIn(directory).at(-1)).toStrictEqual(['2026-11-23.ndjson', ['c']])
  })

  test('is put off when the new segment can’t be opened: record keeps, and nothing is lost', () => {
    const { journal, directory, clock, faulty } = opened()
    journal.record(log('a'))
    clock.set('2026-11-23T00:00:00Z')
    faulty.add({ call: 'openSync', effect: { error: 'EMFILE' } })
    journal.record(log('b'))
    clock.advance(1000)
    journal.record(log('c'))
    expect(namesIn(directory)).toStrictEqual(['a', 'b', 'c'])
    expect(journal.counters).toMatchObject({ appended: 3, buffered: 0, dropped: 0 })
  })

  test.each([
    ['archived', `${SEGMENT}.gz`],
    ['distrusted', MARKER],
  ])('today’s segment is %s by someone else: on to the next number within a second', (_, file) => {
    const { journal, directory, clock } = opened()
    journal.append(log('a'))
    writeFileSync(join(directory, file), '')
    if (file.endsWith('.gz')) unlinkSync(join(directory, SEGMENT))
    clock.advance(1000)
    journal.append(log('b'))
    expect(placesIn(directory).at(-1)).toStrictEqual([NEXT_SEGMENT, ['b']])
  })

  test.each([
    ['archived', `${SEGMENT}.gz`],
    ['distrusted', MARKER],
  ])('a writer that opens on one that is %s takes the next number', async (_, file) => {
    const { journal, directory } = opened()
    await journal.close()
    writeFileSync(join(directory, file), '')
    if (file.endsWith('.gz')) unlinkSync(join(directory, SEGMENT))
    opened({ directory }).journal.append(log('a'))
    expect(placesIn(directory).at(-1)).toStrictEqual([NEXT_SEGMENT, ['a']])
  })
})

describe('a sync that failed', () => {
  test('flush rejects, a durable marker stands, the next event goes to the next number, nothing is repeated', async () => {
    const { journal, directory, logger, faulty } = opened()
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    const error = await rejectionOf(journal.flush())
    expect(error).toMatchObject({
      code: 'SYNC_FAILED',
      path: join(directory, SEGMENT),
      cause: { code: 'EIO' },
    })
    expect(JSON.parse(readFileSync(join(directory, MARKER), 'utf8'))).toStrictEqual({
      at: '2026-11-22T19:43:00.123Z',
      error: 'EIO: put in by the test, fdatasync',
    })
    expect(statSync(join(directory, MARKER)).mode & 0o777).toBe(0o600)
    const calls = faulty.calls.map(({ name, file }) => `${name} ${file}`)
    const marked = calls.lastIndexOf(`fsyncSync ${MARKER}`)
    expect(marked).toBeGreaterThan(calls.indexOf(`fdatasync ${SEGMENT}`))
    expect(calls.lastIndexOf('fsyncSync journal')).toBeGreaterThan(marked)
    expect(logger.logged).toStrictEqual([
      {
        level: 'error',
        fields: { err: error, path: join(directory, SEGMENT) },
        message: 'Journal segment distrusted: its sync failed',
      },
    ])
    journal.append(log('b'))
    await journal.flush()
    expect(placesIn(directory)).toStrictEqual([
      [SEGMENT, ['a']],
      [NEXT_SEGMENT, ['b']],
    ])
    expect(faulty.callsOf('fdatasync').filter(({ file }) => file === SEGMENT)).toHaveLength(1)
    expect(faulty.openFiles).toStrictEqual([NEXT_SEGMENT])
  })

  test('again and again takes a number each time', async () => {
    const { journal, directory, faulty } = opened()
    for (let i = 0; i < 3; i++) {
      journal.append(log(`${i}`))
      faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
      await rejectionOf(journal.flush())
    }
    journal.append(log('3'))
    await journal.flush()
    expect(placesIn(directory).map(([, names]) => names)).toStrictEqual([['0'], ['1'], ['2'], ['3']])
    expect(segmentsOf(directory).filter((name) => name.endsWith('.distrusted'))).toHaveLength(3)
  })

  test('is followed by a second journal at its next look', async () => {
    const { journal, directory, faulty } = opened()
    const second = opened({ directory })
    second.journal.append(log('s1'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    journal.append(log('a'))
    await rejectionOf(journal.flush())
    second.journal.append(log('s2'))
    second.clock.advance(1000)
    second.journal.append(log('s3'))
    expect(placesIn(directory)).toStrictEqual([
      [SEGMENT, ['s1', 'a', 's2']],
      [NEXT_SEGMENT, ['s3']],
    ])
    await second.journal.flush()
  })

  test('in two journals gives one marker and one next segment', async () => {
    const one = opened()
    const two = opened({ directory: one.directory })
    for (const { journal, faulty } of [one, two]) {
      journal.append(log('x'))
      faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    }
    await Promise.all([rejectionOf(one.journal.flush()), rejectionOf(two.journal.flush())])
    one.journal.append(log('y'))
    two.journal.append(log('z'))
    expect(segmentsOf(one.directory)).toStrictEqual([SEGMENT, MARKER, NEXT_SEGMENT])
    expect(placesIn(one.directory).at(-1)).toStrictEqual([NEXT_SEGMENT, ['y', 'z']])
  })

  test('makes its segment be left also if the marker can’t be written', async () => {
    const { journal, directory, logger, faulty } = opened()
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    faulty.add({ call: 'openSync', file: /distrusted$/, effect: { error: 'ENOSPC' } })
    await rejectionOf(journal.flush())
    expect(logger.messages).toStrictEqual([
      'Journal segment distrusted: its sync failed',
      "The marker of a distrusted segment couldn't be written",
    ])
    journal.append(log('b'))
    expect(placesIn(directory)).toStrictEqual([
      [SEGMENT, ['a']],
      [NEXT_SEGMENT, ['b']],
    ])
  })

  test('after a torn line makes the segment be left once that line is made good, and the event isn’t lost', async () => {
    const { journal, directory, faulty, clock } = opened()
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    const flushed = rejectionOf(journal.flush())
    faulty.add({ call: 'writeSync', effect: { takes: 30 } })
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' } })
    journal.record(log('b'))
    await flushed
    clock.advance(1000)
    journal.record(log('c'))
    clock.advance(1000)
    journal.record(log('d'))
    expect(namesIn(directory)).toStrictEqual(['a', 'b', 'c', 'd'])
    expect(placesIn(directory).at(-1)).toStrictEqual([NEXT_SEGMENT, ['d']])
  })

  test('of a segment that was already left doesn’t make the current one be left', async () => {
    const { journal, directory, clock, faulty } = opened()
    journal.append(log('a'))
    clock.set('2026-11-23T00:00:00Z')
    journal.append(log('b'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    expect(await rejectionOf(journal.flush())).toMatchObject({ path: join(directory, SEGMENT) })
    journal.append(log('c'))
    await journal.flush()
    expect(segmentsOf(directory)).toStrictEqual([SEGMENT, MARKER, '2026-11-23.ndjson'])
    expect(placesIn(directory)[1]).toStrictEqual(['2026-11-23.ndjson', ['b', 'c']])
    expect(faulty.openFiles).toStrictEqual(['2026-11-23.ndjson'])
  })

  test('a directory that can’t be opened distrusts nothing: that flush rejects, the next one tries again', async () => {
    const { journal, directory, logger, faulty } = opened()
    journal.append(log('a'))
    faulty.add({ call: 'openSync', file: /^journal$/, effect: { error: 'EMFILE' } })
    expect(await rejectionOf(journal.flush())).toMatchObject({
      code: 'SYNC_INCOMPLETE',
      message: expect.stringContaining('its name may not survive a power cut'),
      cause: { code: 'EMFILE' },
    })
    journal.append(log('b'))
    await journal.flush()
    expect(logger.logged).toStrictEqual([])
    expect(placesIn(directory)).toStrictEqual([[SEGMENT, ['a', 'b']]])
    expect(segmentsOf(directory)).toStrictEqual([SEGMENT])
    const after = faulty.calls.map(({ name, file }) => `${name} ${file}`)
    expect(after.lastIndexOf('fsync journal')).toBeGreaterThan(after.indexOf(`fdatasync ${SEGMENT}`))
  })

  test('a segment whose path can’t be looked at after its sync is looked at again by the next flush', async () => {
    const { journal, directory, clock, faulty } = opened()
    journal.append(log('a'))
    clock.set('2026-11-23T00:00:00Z')
    journal.append(log('b'))
    faulty.add({
      call: 'fdatasync',
      effect: { before: () => faulty.add({ call: 'lstatSync', effect: { error: 'EMFILE' } }) },
    })
    expect(await rejectionOf(journal.flush())).toMatchObject({
      code: 'SYNC_INCOMPLETE',
      message: expect.stringContaining("whether the journal still has it couldn't be checked"),
    })
    await journal.flush()
    expect(segmentsOf(directory)).toStrictEqual([SEGMENT, '2026-11-23.ndjson'])
    expect(faulty.openFiles).toStrictEqual(['2026-11-23.ndjson'])
  })

  test('a directory that can’t be synced fails the flush too', async () => {
    const { journal, faulty } = opened()
    journal.append(log('a'))
    faulty.add({ call: 'fsync', file: /./, effect: { error: 'EIO' } })
    expect(await rejectionOf(journal.flush())).toMatchObject({ code: 'SYNC_FAILED' })
  })

  test.each(['EINVAL', 'ENOTSUP'])(
    'a file system that can’t sync directories (%s) is taken as it is',
    async (error) => {
      const { journal, faulty } = opened()
      journal.append(log('a'))
      faulty.add({ call: 'fsync', file: /./, effect: { error } })
      await journal.flush()
    },
  )
})

describe('a segment that is lost under the writer', () => {
  test.each<[string, (path: string) => void]>([
    ['removed', (path) => unlinkSync(path)],
    ['moved', (path) => renameSync(path, `${path}.old`)],
    [
      'replaced',
      (path) => {
        writeFileSync(`${path}.new`, '')
        renameSync(`${path}.new`, path)
      },
    ],
  ])('%s: noticed at the next look, logged, and flush rejects once', async (_, lose) => {
    const { journal, directory, clock, logger, faulty } = opened()
    journal.append(log('a'))
    lose(join(directory, SEGMENT))
    journal.append(log('b'))
    expect(logger.logged).toStrictEqual([])
    clock.advance(1000)
    journal.append(log('c'))
    expect(logger.logged).toMatchObject([
      {
        level: 'error',
        fields: { path: join(directory, SEGMENT), unflushed_events: 2 },
        message: LOST,
      },
    ])
    expect(placesIn(directory)).toStrictEqual([[SEGMENT, ['c']]])
    expect(await rejectionOf(journal.flush())).toMatchObject({
      code: 'SEGMENT_LOST',
      path: join(directory, SEGMENT),
    })
    await journal.flush()
    expect(logger.logged).toHaveLength(1)
    expect(faulty.openFiles).toStrictEqual([SEGMENT])
  })

  test('is noticed also after the clock went back', () => {
    const { journal, directory, clock, logger } = opened()
    journal.append(log('a'))
    unlinkSync(join(directory, SEGMENT))
    clock.set('2026-11-22T10:00:00Z')
    journal.append(log('b'))
    expect(logger.messages).toStrictEqual([LOST])
    expect(namesIn(directory)).toStrictEqual(['b'])
  })

  test('is noticed by a flush, which looks itself', async () => {
    const { journal, directory } = opened()
    journal.append(log('a'))
    unlinkSync(join(directory, SEGMENT))
    expect((await rejectionOf(journal.flush())).code).toBe('SEGMENT_LOST')
    journal.append(log('b'))
    await journal.flush()
    expect(namesIn(directory)).toStrictEqual(['b'])
  })

  test('while it is synced makes that flush reject', async () => {
    const { journal, directory, faulty } = opened()
    journal.append(log('a'))
    faulty.add({
      call: 'fdatasync',
      effect: { before: () => renameSync(join(directory, SEGMENT), join(directory, 'elsewhere')) },
    })
    expect((await rejectionOf(journal.flush())).code).toBe('SEGMENT_LOST')
    await journal.flush()
    expect(faulty.openFiles).toStrictEqual([SEGMENT])
  })

  test('after it was left and before it was synced makes the flush that syncs it reject', async () => {
    const { journal, directory, clock } = opened()
    journal.append(log('a'))
    clock.set('2026-11-23T00:00:00Z')
    journal.append(log('b'))
    unlinkSync(join(directory, SEGMENT))
    expect((await rejectionOf(journal.flush())).code).toBe('SEGMENT_LOST')
    await journal.flush()
  })

  test('another journal put in its place is not written to', async () => {
    const { journal, directory, clock } = opened()
    journal.append(log('a'))
    const identity = readFileSync(join(directory, 'journal.json'))
    rmSync(directory, { recursive: true })
    await opened({ directory }).journal.close()
    clock.advance(1000)
    expect(writeErrorOf(() => journal.append(log('b'))).message).toContain('now holds another journal')
    expect(namesIn(directory)).toStrictEqual([])
    rmSync(join(directory, 'journal.json'))
    expect(writeErrorOf(() => journal.append(log('b'))).message).toContain('no longer holds a journal')
    writeFileSync(join(directory, 'journal.json'), identity)
    journal.append(log('c'))
    expect(namesIn(directory)).toStrictEqual(['c'])
  })

  test('with the whole directory makes append throw and record keep, and both go on when it is back', async () => {
    const { journal, directory, clock } = opened()
    journal.append(log('a'))
    const identity = readFileSync(join(directory, 'journal.json'))
    rmSync(directory, { recursive: true })
    clock.advance(1000)
    journal.record(log('b'))
    expect(journal.counters.buffered).toBe(1)
    expect(writeErrorOf(() => journal.append(log('c'))).code).toBe('BUFFER_NOT_EMPTY')
    mkdirSync(directory)
    writeFileSync(join(directory, 'journal.json'), identity)
    journal.append(log('d'))
    expect(namesIn(directory)).toStrictEqual(['b', 'd'])
    expect((await rejectionOf(journal.flush())).code).toBe('SEGMENT_LOST')
  })

  test('that comes back while it is being flushed is synced before the flush resolves', async () => {
    const { journal, directory, clock, faulty } = opened({ fsync: 'no' })
    journal.append(log('a'))
    renameSync(directory, `${directory}.away`)
    clock.advance(1000)
    expect(writeErrorOf(() => journal.append(log('b'))).code).toBe('WRITE_FAILED')
    renameSync(`${directory}.away`, directory)
    // The look before the flush fails, and the one after it finds the segment.
    faulty.add({ call: 'openSync', effect: { error: 'EMFILE' } })
    await journal.flush()
    expect(faulty.calls.map(({ name }) => name)).toContain('fdatasync')
    expect(namesIn(directory)).toStrictEqual(['a'])
    expect(journal.counters.dropped).toBe(0)
  })

  test('with the whole directory moved away and back isn’t lost, and the log says so', async () => {
    const { journal, directory, clock, logger } = opened()
    journal.append(log('a'))
    renameSync(directory, `${directory}.away`)
    clock.advance(1000)
    journal.record(log('b'))
    expect(journal.counters).toMatchObject({ buffered: 1, dropped: 1 })
    renameSync(`${directory}.away`, directory)
    clock.advance(1000)
    journal.record(log('c'))
    expect(namesIn(directory)).toStrictEqual(['a', 'b', 'c'])
    expect(journal.counters).toMatchObject({ buffered: 0, dropped: 0 })
    expect(logger.messages).toContain('The journal segment is back: nothing in it is lost')
    await journal.close()
  })

  test('to another journal in its place is counted and told once, and then the journal can be closed', async () => {
    const { journal, directory, clock, logger } = opened()
    journal.append(log('a'))
    await journal.flush()
    journal.append(log('b'))
    renameSync(directory, `${directory}.away`)
    await opened({ directory }).journal.close()
    journal.append(log('c'))
    clock.advance(1000)
    expect(() => journal.append(log('d'))).toThrow('holds another journal')
    expect(journal.counters).toMatchObject({ appended: 3, dropped: 2 })
    expect(logger.logged[0]).toMatchObject({ message: LOST, fields: { unflushed_events: 2 } })
    expect((await rejectionOf(journal.close())).code).toBe('SEGMENT_LOST')
    await journal.close()
  })

  test('sends what waits in memory to the new one, whole', async () => {
    const { journal, directory, clock, faulty } = opened()
    faulty.add({ call: 'writeSync', effect: { leaves: 1 } })
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' } })
    journal.record(log('a'))
    unlinkSync(join(directory, SEGMENT))
    clock.advance(1000)
    journal.record(log('b'))
    expect(namesIn(directory)).toStrictEqual(['a', 'b'])
    await rejectionOf(journal.flush())
  })
})

describe('descriptors while a sync runs', () => {
  function gate() {
    let open = () => {}
    const until = new Promise<void>((resolve) => {
      open = resolve
    })
    return { until, open }
  }

  async function reached(faulty: FaultyFileSystem, file: string): Promise<void> {
    while (!faulty.calls.some((call) => call.name === 'fdatasync' && call.file === file)) {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  test('a segment that is left while it is synced stays open until that is done', async () => {
    const { journal, directory, clock, faulty } = opened()
    const { until, open } = gate()
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { until } })
    const flushed = journal.flush()
    await reached(faulty, SEGMENT)
    clock.set('2026-11-23T00:00:00Z')
    journal.append(log('b'))
    expect(faulty.openFiles).toContain(SEGMENT)
    open()
    await flushed
    await journal.flush()
    expect(faulty.openFiles).toStrictEqual(['2026-11-23.ndjson'])
    expect(namesIn(directory)).toStrictEqual(['a', 'b'])
  })

  test('a segment that is written to and left while it is synced is synced again', async () => {
    const { journal, clock, faulty } = opened()
    const { until, open } = gate()
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { until } })
    const flushed = journal.flush()
    await reached(faulty, SEGMENT)
    journal.append(log('b'))
    clock.set('2026-11-23T00:00:00Z')
    journal.append(log('c'))
    open()
    await flushed
    expect(faulty.openFiles).toContain(SEGMENT)
    await journal.flush()
    expect(faulty.callsOf('fdatasync').filter(({ file }) => file === SEGMENT)).toHaveLength(2)
    expect(faulty.openFiles).toStrictEqual(['2026-11-23.ndjson'])
  })

  test('a segment that is left clean while the one before it is synced isn’t touched any more', async () => {
    const { journal, directory, clock, faulty, logger } = opened()
    const { until, open } = gate()
    journal.append(log('a'))
    clock.set('2026-11-23T00:00:00Z')
    faulty.add({ call: 'fdatasync', effect: { until } })
    const flushed = journal.flush()
    await reached(faulty, SEGMENT)
    clock.set('2026-11-24T00:00:00Z')
    const later = journal.flush()
    open()
    await flushed
    await later
    expect(logger.logged).toStrictEqual([])
    expect(segmentsOf(directory).filter((name) => name.endsWith('distrusted'))).toStrictEqual([])
    expect(faulty.openFiles).toStrictEqual(['2026-11-24.ndjson'])
  })
})

test('a look that fails half way leaves a journal that works and nothing open', () => {
  const { journal, directory, clock, faulty } = opened()
  journal.append(log('a'))
  for (const [i, call] of (
    ['lstatSync', 'statSync', 'readdirSync', 'fstatSync', 'openSync'] as const
  ).entries()) {
    clock.set(`2026-11-2${3 + i}T00:00:00Z`)
    faulty.add({ call, file: /./, effect: { error: 'EIO' } })
    try {
      journal.append(log(`${call}`))
    } catch (error) {
      expect(error).toMatchObject({ code: 'WRITE_FAILED' })
    }
    faulty.heal()
    clock.advance(1000)
    journal.append(log(`after-${call}`))
  }
  const found = namesIn(directory)
  expect(new Set(found).size).toBe(found.length)
  expect(found.filter((name) => String(name).startsWith('after'))).toHaveLength(5)
  expect(faulty.openFiles.at(-1)).toBe('2026-11-27.ndjson')
})
