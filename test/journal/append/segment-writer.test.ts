import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { endFragmentOf, SegmentWriter } from '../../../src/journal/append/segment-writer.js'
import { listSegments, segmentOf } from '../../../src/journal/segments.js'
import { type Fault, FaultyFileSystem } from '../../support/faulty-file-system.js'
import { runs } from '../../support/runs.js'
import { log, namesIn, opened, SEGMENT, temporaryDirectory, textOf, writeErrorOf } from '../support.js'

const LONG = 'é€😀'
const PATH = segmentOf('2026-11-22', 0)

/** How the disk fails when a line has been taken up to a byte. */
const FAILURES: [string, (takes: number) => Omit<Fault, 'call'>[], boolean][] = [
  ['once', (takes) => [{ effect: { takes } }], true],
  ['twice', (takes) => [{ effect: { takes }, times: 2 }], true],
  [
    'and is full then',
    (takes) => [{ effect: { takes } }, { effect: { error: 'ENOSPC' }, times: Number.POSITIVE_INFINITY }],
    false,
  ],
  ['again and again', (takes) => [{ effect: { takes }, times: Number.POSITIVE_INFINITY }], false],
  [
    'in the newline of the repair too',
    (takes) => [{ effect: { takes } }, { effect: { takes: 1 } }, { effect: { error: 'EIO' }, times: 5 }],
    false,
  ],
]

/** Who else writes to the segment while it is torn. */
const OTHERS = ['nobody', 'another writer', 'a writer that opens it', 'a shell'] as const

/**
 * Where a line is cut: at every byte if nobody else writes. What another writer does depends on whether the line is torn and
 * not on where, so then it is every fourth, the first two, the last two, and with RUNS every one again.
 */
function offsetsInLine(other: (typeof OTHERS)[number]): number[] {
  const { journal, directory } = opened()
  journal.append(log(`${LONG}-0-100`))
  const length = Buffer.byteLength(textOf(directory))
  const step = other === 'nobody' || runs(1).numRuns > 1 ? 1 : 4
  const offsets = Array.from({ length }, (_, i) => i)
  return offsets.filter((i) => i % step === 0 || i === 1 || i >= length - 2)
}

function interleave(
  other: (typeof OTHERS)[number],
  directory: string,
  appendOther: (name: string) => void,
  i: number,
) {
  if (other === 'another writer') appendOther(`other-${i}`)
  else if (other === 'a writer that opens it') {
    new SegmentWriter(new FaultyFileSystem().fs, directory, PATH, 0o600).close()
  } else if (other === 'a shell') {
    appendFileSync(join(directory, SEGMENT), '{"model":"m","latency_ms":1,"success":true}\n')
  }
}

describe('a write cut at any byte of the line', () => {
  describe.each(OTHERS)('%s writes in between', (other) => {
    test.each(FAILURES)('record, %s: every event is there once, in order', async (_, faults) => {
      const { journal, directory, clock, faulty } = opened()
      const second = opened({ directory })
      const recorded: string[] = []
      const others: string[] = []
      for (const takes of offsetsInLine(other)) {
        const names = [0, 1, 2].map((n) => `${LONG}-${n}-${100 + takes}`)
        recorded.push(...names)
        for (const fault of faults(takes)) faulty.add({ call: 'writeSync', ...fault })
        journal.record(log(names[0] ?? ''))
        interleave(other, directory, (name) => second.journal.append(log(name)), takes)
        if (other === 'another writer') others.push(`other-${takes}`)
        clock.advance(100)
        journal.record(log(names[1] ?? ''))
        faulty.heal()
        clock.advance(100)
        journal.record(log(names[2] ?? ''))
        expect(journal.counters).toMatchObject({ buffered: 0, dropped: 0, appended: recorded.length })
      }
      await journal.flush()
      const found = namesIn(directory)
      expect(found.filter((name) => others.includes(String(name)))).toStrictEqual(others)
      expect(found.filter((name) => !others.includes(String(name)))).toStrictEqual(recorded)
    })

    test.each(FAILURES)('append, %s: what returned is there once', (_, faults, succeeds) => {
      const { journal, directory, clock, faulty } = opened()
      const second = opened({ directory })
      const expected: string[] = []
      const others: string[] = []
      const offsets = offsetsInLine(other)
      for (const takes of offsets) {
        const name = `${LONG}-0-${100 + takes}`
        for (const fault of faults(takes)) faulty.add({ call: 'writeSync', ...fault })
        let hasReturned = true
        try {
          journal.append(log(name))
        } catch (error) {
          expect(error).toMatchObject({ code: 'WRITE_FAILED' })
          hasReturned = false
        }
        if (succeeds) expect(hasReturned).toBe(true)
        // Only the newline was missing: the next line completes it.
        if (hasReturned || takes === offsets.at(-1)) expected.push(name)
        interleave(other, directory, (name) => second.journal.append(log(name)), takes)
        if (other === 'another writer') others.push(`other-${takes}`)
        faulty.heal()
        clock.advance(100)
        journal.append(log(`next-${takes}`))
        expected.push(`next-${takes}`)
      }
      const found = namesIn(directory)
      expect(found.filter((name) => others.includes(String(name)))).toStrictEqual(others)
      expect(found.filter((name) => !others.includes(String(name)))).toStrictEqual(expected)
      expect(journal.counters.dropped).toBe(0)
    })
  })

  test('a process that dies in the middle, and another that goes on', () => {
    const { directory, journal } = opened()
    journal.append(log('first'))
    const path = join(directory, SEGMENT)
    const whole = readFileSync(path)
    // Every third, and the last ones, where the line is whole before its newline is.
    for (let end = 0; end <= whole.length; end += end < whole.length - 5 ? 3 : 1) {
      writeFileSync(path, Buffer.concat([whole, whole.subarray(0, end)]))
      const next = opened({ directory })
      next.journal.append(log('next'))
      const twice = end >= whole.length - 1 ? ['first', 'first'] : ['first']
      expect(namesIn(directory)).toStrictEqual([...twice, 'next'])
    }
  })
})

describe('one line is one write', () => {
  test('with its newline, however long it is', () => {
    const { journal, faulty, directory } = opened()
    journal.append(log('a'))
    journal.append(log('b', { note: 'y'.repeat(900_000) }))
    const writes = faulty.callsOf('writeSync')
    expect(writes).toHaveLength(2)
    expect(writes.map(({ bytes }) => bytes)).toStrictEqual(
      textOf(directory)
        .split(/(?<=\n)/)
        .map((line) => line.length),
    )
  })

  test('a repair is one write too: newline and line together', () => {
    const { journal, faulty, directory } = opened()
    faulty.add({ call: 'writeSync', effect: { takes: 10 } })
    journal.append(log('a'))
    const length = textOf(directory).length - 11
    expect(faulty.callsOf('writeSync').map(({ bytes }) => bytes)).toStrictEqual([10, length + 1])
  })

  test('a missing newline is made good by just that', () => {
    const { journal, faulty, directory } = opened()
    faulty.add({ call: 'writeSync', effect: { leaves: 1 } })
    journal.append(log('a'))
    expect(faulty.callsOf('writeSync')[1]?.bytes).toBe(1)
    expect(textOf(directory).split('\n')).toHaveLength(2)
    expect(namesIn(directory)).toStrictEqual(['a'])
  })

  test('a newline that is missing when record keeps the event is made good by just that, too', () => {
    const { journal, faulty, directory, clock } = opened()
    faulty.add({ call: 'writeSync', effect: { leaves: 1 } })
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: 3 })
    journal.record(log('a'))
    expect(journal.counters).toMatchObject({ appended: 0, buffered: 1 })
    faulty.heal()
    clock.advance(100)
    journal.record(log('b'))
    expect(textOf(directory).split('\n')).toHaveLength(3)
    expect(namesIn(directory)).toStrictEqual(['a', 'b'])
  })
})

describe('opening', () => {
  test.each([0o000, 0o077, 0o777])('a new segment has exactly its mode, whatever the umask: %o', (umask) => {
    const before = process.umask(umask)
    let directory: string
    try {
      directory = opened({ mode: 0o660 }).directory
    } finally {
      process.umask(before)
    }
    expect(statSync(join(directory, SEGMENT)).mode & 0o777).toBe(0o660)
    expect(statSync(directory).mode & 0o777).toBe(0o770)
  })

  // What others may read was copied under some umask: that isn't a wish to share it.
  test.each([
    [0o600, 0o600],
    [0o640, 0o640],
    [0o660, 0o660],
    [0o644, 0o600],
  ])('a journal.json of mode %o shares new segments as %o, unless a mode is given', (mode, expected) => {
    const { directory } = opened()
    rmSync(join(directory, SEGMENT))
    chmodSync(join(directory, 'journal.json'), mode)
    opened({ directory })
    expect(statSync(join(directory, SEGMENT)).mode & 0o777).toBe(expected)
    rmSync(join(directory, SEGMENT))
    opened({ directory, mode: 0o606 })
    expect(statSync(join(directory, SEGMENT)).mode & 0o777).toBe(0o606)
  })

  test('an existing segment keeps its mode', () => {
    const { directory } = opened()
    chmodSync(join(directory, SEGMENT), 0o640)
    opened({ directory })
    expect(statSync(join(directory, SEGMENT)).mode & 0o777).toBe(0o640)
  })

  test('a fragment is ended at once, and a whole line isn’t touched', () => {
    const { directory, journal } = opened()
    journal.append(log('a'))
    opened({ directory })
    const whole = textOf(directory)
    expect(whole.endsWith('}\n')).toBe(true)
    appendFileSync(join(directory, SEGMENT), '{"type":"requ')
    opened({ directory })
    expect(textOf(directory)).toBe(`${whole}{"type":"requ\n`)
  })

  test('on a full disk the fragment is ended by the first line, in the same write', () => {
    const { directory } = opened()
    appendFileSync(join(directory, SEGMENT), '{"type":"requ')
    const faulty = new FaultyFileSystem()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' } })
    const { journal } = opened({ directory }, { faulty })
    expect(textOf(directory)).toBe('{"type":"requ')
    journal.append(log('a'))
    expect(textOf(directory).startsWith('{"type":"requ\n{"type":"request_logged"')).toBe(true)
    expect(faulty.callsOf('writeSync')).toHaveLength(1)
  })

  test('a symbolic link or a folder by a segment’s name is refused', () => {
    const linked = temporaryDirectory()
    opened({ directory: join(linked, 'elsewhere') })
    const directory = join(linked, 'journal')
    mkdirSync(directory)
    symlinkSync(join(linked, 'elsewhere', SEGMENT), join(directory, SEGMENT))
    writeFileSync(join(directory, 'journal.json'), readFileSync(join(linked, 'elsewhere', 'journal.json')))
    expect(writeErrorOf(() => opened({ directory })).code).toBe('WRITE_FAILED')

    const other = join(linked, 'other')
    mkdirSync(join(other, SEGMENT), { recursive: true })
    writeFileSync(join(other, 'journal.json'), readFileSync(join(linked, 'elsewhere', 'journal.json')))
    expect(writeErrorOf(() => opened({ directory: other })).code).toBe('WRITE_FAILED')
  })

  test.each(['fstatSync', 'readSync', 'fchmodSync'] as const)(
    'when its %s fails no descriptor is left',
    (call) => {
      const directory = temporaryDirectory()
      const faulty = new FaultyFileSystem()
      if (call === 'readSync') writeFileSync(join(directory, SEGMENT), 'x')
      faulty.add({ call, effect: { error: 'EIO' } })
      expect(() => new SegmentWriter(faulty.fs, directory, PATH, 0o600)).toThrow('EIO')
      expect(faulty.openFiles).toStrictEqual([])
    },
  )
})

describe('the segment before', () => {
  const before = '2026-11-21_003.ndjson'

  function withFragment(): string {
    const directory = temporaryDirectory()
    opened({ directory }, {}).journal.append(log('a'))
    writeFileSync(join(directory, '2026-11-20.ndjson'), 'older fragment')
    writeFileSync(join(directory, '2026-11-21_004.ndjson.gz'), 'archived')
    writeFileSync(join(directory, before), '{"type":')
    return directory
  }

  test('is ended by a writer that opens the next; older ones and archives are left alone', () => {
    const directory = withFragment()
    opened({ directory })
    expect(textOf(directory, before)).toBe('{"type":\n')
    expect(textOf(directory, '2026-11-20.ndjson')).toBe('older fragment')
    expect(textOf(directory, '2026-11-21_004.ndjson.gz')).toBe('archived')
  })

  test('stops nobody if it can’t be ended', () => {
    const directory = withFragment()
    for (const [call, code] of [
      ['openSync', 'EACCES'],
      ['fstatSync', 'EIO'],
      ['writeSync', 'ENOSPC'],
    ] as const) {
      const faulty = new FaultyFileSystem()
      faulty.add({ call, file: /^2026-11-21_003/, effect: { error: code } })
      opened({ directory }, { faulty }).journal.append(log(code))
      expect(textOf(directory, before)).toBe('{"type":')
      expect(faulty.openFiles).toStrictEqual([SEGMENT])
    }
    expect(namesIn(directory)).toStrictEqual(['a', 'EACCES', 'EIO', 'ENOSPC'])
  })

  test('is left alone if it’s empty or gone in between', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, SEGMENT), '')
    const [segment] = listSegments(directory)
    if (segment === undefined) throw new Error('no segment')
    endFragmentOf(new FaultyFileSystem().fs, directory, segment)
    expect(textOf(directory)).toBe('')
    expect(() => endFragmentOf(new FaultyFileSystem().fs, temporaryDirectory(), segment)).not.toThrow()
  })
})
