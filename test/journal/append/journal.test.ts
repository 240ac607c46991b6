import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { MAX_LINE_BYTES } from '../../../src/events/line.js'
import { InvalidEventError, openJournal } from '../../../src/index.js'
import type { JournalOptions } from '../../../src/journal/append/options.js'
import { JournalError } from '../../../src/journal/errors.js'
import type { JournalLogger } from '../../../src/journal/logger.js'
import { FaultyFileSystem } from '../../support/faulty-file-system.js'
import {
  log,
  namesIn,
  opened,
  readSegment,
  rejectionOf,
  SEGMENT,
  temporaryDirectory,
  textOf,
  writeErrorOf,
} from '../support.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const WRITE_WARNING = 'Failed to write request log to journal'
const LOST_WARNING = 'Failed to write request log to journal: event lost'
const INVALID_WARNING = 'Invalid request log event'

const COUNTERS = { abandoned: 0, usage_missing: 0 }
const always = Number.POSITIVE_INFINITY
// biome-ignore lint/suspicious/noExplicitAny: what callers without TypeScript pass
const untyped = (value: unknown) => value as any

function circle(): object {
  const object: Record<string, unknown> = {}
  object['self'] = object
  return object
}

test('append refuses an event whose members throw, and gives back only what it wrote', () => {
  const { journal, directory } = opened()
  const trap = {
    ...log('a'),
    get model(): string {
      throw new Error('a trap')
    },
  }
  expect(() => journal.append(trap)).toThrow(InvalidEventError)
  const written = journal.append(log('b', { act: () => 1, extra: { a: 1 } }))
  expect(written).toHaveProperty('extra', { a: 1 })
  expect(written).not.toHaveProperty('act')
  expect(namesIn(directory)).toStrictEqual(['b'])
})

describe('append', () => {
  test('writes exactly this line, and returns the event as written', () => {
    const { journal, directory } = opened()
    const event = journal.append({
      success: true,
      latency_ms: 12.4,
      model: 'gpt-5',
      correlation_id: 'c',
      labels: { team: 'a' },
      ...{ trace: [1] },
    })
    const body =
      '{"type":"request_logged","correlation_id":"c","timestamp":"2026-11-22T19:43:00.123Z","model":"gpt-5",' +
      '"provider":null,"policy":null,"streaming":false,"input_tokens":null,"output_tokens":null,' +
      '"cost_sats":null,"provider_cost_sats":null,"latency_ms":12,"success":true,"error_status":null,' +
      '"error_message":null,"labels":{"team":"a"},"trace":[1]'
    expect(textOf(directory)).toBe(`${body},"crc32":"${crc32(body).toString(16).padStart(8, '0')}"}\n`)
    expect(event).toStrictEqual(JSON.parse(`${body}}`))
  })

  test('writes a completion as a stream_completed', () => {
    const { journal, directory } = opened()
    const event = journal.append({
      type: 'stream_completed',
      correlation_id: 'c',
      input_tokens: 1,
      output_tokens: 2,
      cost_sats: 0.5,
      provider_cost_sats: null,
      stream_duration_ms: 1234,
      success: true,
      error_status: null,
      error_message: null,
    })
    expect(event.timestamp).toBe('2026-11-22T19:43:00.123Z')
    expect(readSegment(Buffer.from(textOf(directory)))).toMatchObject([event])
  })

  test('gives an event without an id a new one, and never the same twice', () => {
    const { journal } = opened()
    const [a, b] = [journal.append(log('x', { correlation_id: undefined })), journal.append(log('x'))]
    expect(a.correlation_id).toMatch(UUID)
    expect(b.correlation_id).toBe('x')
    expect(journal.append({ model: 'm', latency_ms: 1, success: true }).correlation_id).not.toBe(
      a.correlation_id,
    )
  })

  test('throws for an invalid event and writes nothing, and the next one is written', () => {
    const { journal, directory, faulty } = opened()
    expect(() => journal.append(untyped({ model: 5 }))).toThrow(InvalidEventError)
    expect(() => journal.append(untyped(null))).toThrow(InvalidEventError)
    expect(() => journal.append(log('x', { extra: 5n }))).toThrow(InvalidEventError)
    expect(() => journal.append(log('x', { note: 'a'.repeat(MAX_LINE_BYTES) }))).toThrow(InvalidEventError)
    expect(faulty.callsOf('writeSync')).toStrictEqual([])
    journal.append(log('a'))
    expect(namesIn(directory)).toStrictEqual(['a'])
  })

  test('throws WRITE_FAILED with path and cause if the disk refuses, and keeps nothing', () => {
    const { journal, directory, faulty } = opened()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' } })
    const error = writeErrorOf(() => journal.append(log('a')))
    expect(error).toMatchObject({ code: 'WRITE_FAILED', path: join(directory, SEGMENT), buffered: 0 })
    expect(error.cause).toMatchObject({ code: 'ENOSPC' })
    expect(journal.counters).toStrictEqual({ ...COUNTERS, appended: 0, invalid: 0, buffered: 0, dropped: 0 })
    journal.append(log('b'))
    expect(namesIn(directory)).toStrictEqual(['b'])
  })

  test('writes the events that wait first, or throws and writes nothing', () => {
    const { journal, directory, faulty } = opened()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: always })
    journal.record(log('a'))
    journal.record(log('b'))
    expect(writeErrorOf(() => journal.append(log('c')))).toMatchObject({
      code: 'BUFFER_NOT_EMPTY',
      buffered: 2,
    })
    faulty.heal()
    journal.append(log('d'))
    expect(namesIn(directory)).toStrictEqual(['a', 'b', 'd'])
  })
})

describe('record never throws', () => {
  const throws = () => {
    throw new Error('trap')
  }
  const trap = new Proxy({}, { get: throws, has: throws, ownKeys: throws, getOwnPropertyDescriptor: throws })
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['a BigInt', 5n],
    ['a symbol', Symbol('s')],
    ['a text', 'text'],
    ['a function', () => {}],
    ['an array', [log('x')]],
    ['an empty object', {}],
    ['an object without a prototype', Object.create(null)],
    ['a Proxy that throws', trap],
    ['a revoked Proxy', revoked.proxy],
    ['a getter that throws', Object.defineProperty(log('x'), 'model', { get: throws, enumerable: true })],
    ['an id that throws', Object.defineProperty({}, 'correlation_id', { get: throws, enumerable: true })],
    ['a member that throws', Object.defineProperty(log('x'), 'more', { get: throws, enumerable: true })],
    ['a BigInt inside', log('x', { input_tokens: 5n })],
    ['a BigInt in an unknown member', log('x', { more: 5n })],
    ['a circle', log('x', { more: circle() })],
    ['a toJSON that throws', log('x', { more: { toJSON: throws } })],
    ['labels with a Proxy', log('x', { labels: trap })],
    ['a line that is too long', log('x', { note: 'a'.repeat(MAX_LINE_BYTES) })],
    ['a field that is right only when it is read again', changing(5, 'm')],
  ])('%s: a warning, counted, and nothing is written', (_, event) => {
    const { journal, directory, logger } = opened()
    const id = journal.record(untyped(event))
    expect(journal.counters).toStrictEqual({ ...COUNTERS, appended: 0, invalid: 1, buffered: 0, dropped: 0 })
    expect(logger.logged).toStrictEqual([
      { level: 'warn', fields: { correlation_id: id, err: expect.any(Error) }, message: INVALID_WARNING },
    ])
    expect(textOf(directory)).toBe('')
    journal.record(log('a'))
    expect(namesIn(directory)).toStrictEqual(['a'])
  })

  test('a field that changes after it was read is written as it was read', () => {
    const { journal, directory } = opened()
    journal.record(untyped(changing('m', 5)))
    expect(textOf(directory)).toContain('"model":"m"')
  })

  function changing(first: unknown, then: unknown): object {
    let reads = 0
    const get = () => (reads++ === 0 ? first : then)
    return Object.defineProperty(log('x'), 'model', { get, enumerable: true })
  }

  test('a cost that is not finite and an unknown member are each warned of once, and lose nothing else', () => {
    const { journal, directory, logger } = opened()
    for (let i = 0; i < 3; i++) {
      journal.record(log(`r${i}`, { cost_sats: Number.NaN, cost_eur: 1 }))
      journal.append(log(`a${i}`, { provider_cost_sats: Number.POSITIVE_INFINITY, cost_eur: 2, usage: {} }))
    }
    expect(namesIn(directory)).toStrictEqual(['r0', 'a0', 'r1', 'a1', 'r2', 'a2'])
    expect(textOf(directory).match(/"cost_sats":null/g)).toHaveLength(6)
    expect(logger.logged.map(({ fields, message }) => [message, fields])).toStrictEqual([
      [expect.stringContaining('not finite'), { member: 'cost_sats' }],
      [expect.stringContaining('Unknown member'), { member: 'cost_eur' }],
      [expect.stringContaining('not finite'), { member: 'provider_cost_sats' }],
      [expect.stringContaining('Unknown member'), { member: 'usage' }],
    ])
    for (let i = 0; i < 1000; i++) journal.record(log('x', { [`made up ${i}`]: 1 }))
    expect(logger.logged).toHaveLength(100)
  })

  test('the warning of an invalid event says which event it is and what is wrong with it', () => {
    const { journal, logger } = opened()
    expect(journal.record(untyped({ correlation_id: 'c', model: 5, success: true, latency_ms: 1 }))).toBe('c')
    expect(logger.logged[0]?.fields).toMatchObject({
      correlation_id: 'c',
      err: {
        code: 'INVALID_EVENT',
        problems: [{ field: 'model', found: '5', expected: 'a string without NUL' }],
      },
    })
  })

  test.each([
    ['valid', () => log('x')],
    ['invalid', () => ({})],
  ])('not with a logger that throws, on a disk that refuses: %s', (_, event) => {
    const broken: JournalLogger = { warn: throws, error: throws }
    const { journal, faulty } = opened({ logger: broken, bufferBytes: 500 })
    faulty.add({ call: 'writeSync', effect: { error: 'EIO' }, times: always })
    for (let i = 0; i < 5; i++) expect(journal.record(untyped(event()))).toEqual(expect.any(String))
  })

  test('not even if no file can be opened, looked at or listed', () => {
    const { journal, directory, clock, faulty } = opened()
    for (const call of ['openSync', 'lstatSync', 'statSync', 'readdirSync', 'writeSync'] as const) {
      faulty.add({ call, file: /./, effect: { error: 'EMFILE' }, times: always })
    }
    for (let i = 0; i < 5; i++) {
      clock.advance(1000)
      journal.record(log(`${i}`))
    }
    expect(journal.counters).toMatchObject({ buffered: 5 })
    faulty.heal()
    clock.advance(1000)
    journal.record(log('5'))
    expect(namesIn(directory)).toStrictEqual(['0', '1', '2', '3', '4', '5'])
  })

  test('the id that is returned is the id that is written', () => {
    const { journal, directory } = opened()
    const made = journal.record({ model: 'm', latency_ms: 1, success: true })
    const odd = journal.record(log('a\ud800'))
    expect(made).toMatch(UUID)
    expect(odd).toBe('a\ufffd')
    expect(namesIn(directory)).toStrictEqual([made, odd])
  })
})

describe('the buffer', () => {
  test('keeps what the disk refuses, in order, and warns with the id and the reason', () => {
    const { journal, directory, logger, faulty, clock } = opened()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: always })
    for (const name of ['a', 'b', 'c']) journal.record(log(name))
    expect(journal.counters).toStrictEqual({ ...COUNTERS, appended: 0, invalid: 0, buffered: 3, dropped: 0 })
    const full = expect.objectContaining({ code: 'ENOSPC' })
    const waiting = expect.objectContaining({ code: 'BUFFER_NOT_EMPTY', buffered: 2 })
    expect(logger.logged).toStrictEqual([
      { level: 'warn', fields: { correlation_id: 'a', err: full, buffered: 1 }, message: WRITE_WARNING },
      { level: 'warn', fields: { correlation_id: 'b', err: full, buffered: 2 }, message: WRITE_WARNING },
      { level: 'warn', fields: { correlation_id: 'c', err: waiting, buffered: 3 }, message: WRITE_WARNING },
    ])
    faulty.heal()
    journal.record(log('d'))
    expect(namesIn(directory)).toStrictEqual([])
    clock.advance(100)
    journal.record(log('e'))
    expect(namesIn(directory)).toStrictEqual(['a', 'b', 'c', 'd', 'e'])
    expect(journal.counters).toStrictEqual({ ...COUNTERS, appended: 5, invalid: 0, buffered: 0, dropped: 0 })
  })

  test('a disk that refuses is asked ten times a second, not for every event', () => {
    const { journal, faulty, clock } = opened()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: always })
    let asked = 0
    const counting = faulty.fs.writeSync
    faulty.fs.writeSync = ((...args: Parameters<typeof counting>) => {
      asked++
      return counting(...args)
    }) as typeof counting
    for (let ms = 0; ms < 1000; ms++) {
      journal.record(log('x'))
      clock.advance(1)
    }
    expect(asked).toBeGreaterThanOrEqual(9)
    expect(asked).toBeLessThanOrEqual(12)
    // A clock that goes back doesn't stop the attempts.
    clock.set('2026-11-22T10:00:00Z')
    faulty.heal()
    journal.record(log('y'))
    expect(journal.counters.buffered).toBe(0)
  })

  test('an event waits as it was recorded, whatever the caller changes in it later', () => {
    const { journal, directory, faulty } = opened()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' } })
    const event = log('a', { labels: { team: 'before' } })
    journal.record(event)
    event.model = 'changed'
    journal.record(log('b'.repeat(5000)))
    journal.append(log('c'))
    expect(readSegment(Buffer.from(textOf(directory)))[0]).toMatchObject({
      model: 'gpt-5',
      labels: { team: 'before' },
    })
  })

  test('drops the newest event over its bound, counts it and warns', async () => {
    const { journal, directory, logger, faulty } = opened({ bufferBytes: 700 })
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: always })
    for (let i = 0; i < 5; i++) journal.record(log(`${i}`))
    const { buffered, dropped } = journal.counters
    expect({ buffered, dropped }).toStrictEqual({ buffered: 2, dropped: 3 })
    expect(
      logger.logged.filter(({ message }) => message === LOST_WARNING).map(({ fields }) => fields),
    ).toStrictEqual(
      [2, 3, 4].map((i) => ({ correlation_id: `${i}`, err: expect.any(Error), dropped: i - 1 })),
    )
    faulty.heal()
    await journal.flush()
    expect(namesIn(directory)).toStrictEqual(['0', '1'])
  })

  test('bounds the warnings of failures and those of losses, each on their own', () => {
    const { journal, logger, faulty } = opened({ bufferBytes: 100_000 })
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: always })
    for (let i = 0; i < 10_000; i++) journal.record(log(`${i}`))
    expect(logger.messages.filter((message) => message === WRITE_WARNING)).toHaveLength(20)
    expect(logger.messages.filter((message) => message === LOST_WARNING)).toHaveLength(20)
  })

  test('makes flush and close reject with the number of events left, and the journal still works', async () => {
    const { journal, directory, faulty } = opened()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: always })
    for (let i = 0; i < 3; i++) journal.record(log(`${i}`))
    expect(await rejectionOf(journal.flush())).toMatchObject({ code: 'BUFFER_NOT_EMPTY', buffered: 3 })
    expect(await rejectionOf(journal.close())).toMatchObject({ code: 'BUFFER_NOT_EMPTY', buffered: 3 })
    expect((await rejectionOf(journal.flush())).message).toContain('3 event(s)')
    faulty.heal()
    await journal.flush()
    journal.append(log('3'))
    await journal.close()
    expect(namesIn(directory)).toStrictEqual(['0', '1', '2', '3'])
  })

  test('doesn’t write again the events that were written before a failure', async () => {
    const { journal, directory, faulty } = opened()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: always })
    for (let i = 0; i < 4; i++) journal.record(log(`${i}`))
    faulty.heal()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, skip: 2, times: 1 })
    expect(await rejectionOf(journal.flush())).toMatchObject({ buffered: 2 })
    expect(namesIn(directory)).toStrictEqual(['0', '1'])
    await journal.flush()
    expect(namesIn(directory)).toStrictEqual(['0', '1', '2', '3'])
  })

  test('tries a last time when the process exits, and logs how many events are lost', () => {
    const exit = () => process.listeners('exit').at(-1)
    const before = process.listenerCount('exit')
    const { journal, directory, logger, faulty } = opened()
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: always })
    journal.record(log('a'))
    journal.record(log('b'))
    expect(process.listenerCount('exit')).toBe(before + 1)
    exit()?.call(process, 0)
    expect(logger.logged.at(-1)).toMatchObject({
      level: 'error',
      fields: { lost: 2 },
      message: 'Failed to write request log to journal: events lost at exit',
    })
    faulty.heal()
    exit()?.call(process, 0)
    expect(namesIn(directory)).toStrictEqual(['a', 'b'])
    expect(process.listenerCount('exit')).toBe(before)
  })

  test('neither doubles nor loses events if the logger logs through the same journal', async () => {
    const directory = join(temporaryDirectory(), 'journal')
    let again = 0
    const noisy = () => {
      if (again < 8) journal.record(log(`again-${again++}`))
    }
    const { journal, faulty, clock } = opened({ directory, logger: { warn: noisy, error: noisy } })
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: 3 })
    journal.record(log('a'))
    // A lost segment is reported in the middle of draining.
    faulty.add({ call: 'lstatSync', effect: { error: 'ENOENT' } })
    clock.advance(1000)
    journal.record(log('b'))
    clock.advance(1000)
    await journal.flush().catch(() => journal.flush())
    const found = namesIn(directory)
    expect(new Set(found).size).toBe(found.length)
    expect(found.toSorted()).toStrictEqual(
      ['a', 'b', ...Array.from({ length: again }, (_, i) => `again-${i}`)].toSorted(),
    )
  })
})

describe('redaction', () => {
  test('masks keys in error_message unless told otherwise', () => {
    const secret = 'bad key sk-proj-abcdefghijklmnop1234'
    expect(opened().journal.append(log('a', { error_message: secret })).error_message).toBe(
      'bad key [redacted]',
    )
    const plain = opened({ redact: false })
    expect(plain.journal.append(log('a', { error_message: secret })).error_message).toBe(secret)
  })

  test('is called for error_message and each label, of either event, before the line is written', () => {
    const asked: [string, string][] = []
    const redact = (text: string, field: string) => {
      asked.push([text, field])
      return field.toUpperCase()
    }
    const { journal, directory } = opened({ redact })
    journal.record(log('a', { error_message: 'secret', labels: { team: 't', __proto: 'p' } }))
    expect(asked).toStrictEqual([
      ['secret', 'error_message'],
      ['t', 'labels.team'],
      ['p', 'labels.__proto'],
    ])
    expect(textOf(directory)).not.toContain('secret')
    expect(readSegment(Buffer.from(textOf(directory)))[0]).toMatchObject({
      error_message: 'ERROR_MESSAGE',
      labels: { team: 'LABELS.TEAM', __proto: 'LABELS.__PROTO' },
    })
  })

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['returns nothing', () => undefined],
    ['returns a promise', async () => 'x'],
  ])('that %s lets no secret through', (_, redact) => {
    const { journal, directory } = opened({ redact: untyped(redact) })
    journal.record(log('a', { error_message: 'secret', labels: { key: 'secret' } }))
    expect(textOf(directory)).not.toContain('secret')
    expect(readSegment(Buffer.from(textOf(directory)))[0]).toMatchObject({
      error_message: '[redacted: the redact function failed]',
      labels: { key: '[redacted: the redact function failed]' },
    })
  })

  test('makes safe what the redact function returns', () => {
    const redact = (_: string, field: string) => (field === 'error_message' ? '€'.repeat(5000) : 'a\0\ud800')
    const { journal } = opened({ redact })
    const { error_message, labels } = journal.append(log('a', { error_message: 'x', labels: { k: 'v' } }))
    expect(Buffer.byteLength(error_message ?? '')).toBeLessThanOrEqual(4096)
    expect(labels).toStrictEqual({ k: '[redacted: the redact function failed]' })
    const halved = opened({ redact: () => 'a\ud800' }).journal
    expect(halved.append(log('a', { error_message: 'x' })).error_message).toBe('a\ufffd')
  })
})

describe('opening', () => {
  test('creates what is missing, and opens the same journal again', async () => {
    const { journal, directory } = opened()
    journal.append(log('a'))
    const again = opened({ directory })
    expect(again.journal.identity).toStrictEqual(journal.identity)
    again.journal.append(log('b'))
    journal.append(log('c'))
    expect(namesIn(directory)).toStrictEqual(['a', 'b', 'c'])
  })

  test('takes the options that callers give', async () => {
    const directory = join(temporaryDirectory(), 'journal')
    const journal = openJournal({ directory })
    journal.record(log('a'))
    await journal.close()
    const [day] = new Date().toISOString().split('T')
    expect(readFileSync(join(directory, `${day}.ndjson`), 'utf8')).toContain('"correlation_id":"a"')
  })

  test('is refused below a file', () => {
    const root = temporaryDirectory()
    writeFileSync(join(root, 'file'), '')
    expect(() => opened({ directory: join(root, 'file', 'journal') })).toThrow(JournalError)
    expect(() => opened({ directory: join(root, 'file') })).toThrow(JournalError)
  })

  test('is refused if no segment can be opened for writing', () => {
    const { directory } = opened()
    for (const error of ['EACCES', 'EPERM', 'EROFS']) {
      const faulty = new FaultyFileSystem()
      faulty.add({ call: 'openSync', effect: { error }, times: always })
      expect(writeErrorOf(() => opened({ directory }, { faulty }))).toMatchObject({ code: 'WRITE_FAILED' })
    }
  })

  test.each(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE'])(
    '%s keeps no gateway from starting',
    async (error) => {
      const { directory } = opened()
      const faulty = new FaultyFileSystem()
      faulty.add({ call: 'openSync', effect: { error }, times: always })
      const { journal, logger, clock } = opened({ directory }, { faulty })
      expect(logger.messages).toStrictEqual(['No segment can be opened yet'])
      journal.record(log('a'))
      expect(journal.counters).toMatchObject({ buffered: 1 })
      expect(writeErrorOf(() => journal.append(log('b')))).toMatchObject({ code: 'BUFFER_NOT_EMPTY' })
      faulty.heal()
      clock.advance(100)
      journal.record(log('c'))
      expect(namesIn(directory)).toStrictEqual(['a', 'c'])
    },
  )

  test('a wrong option creates nothing', () => {
    const directory = join(temporaryDirectory(), 'journal')
    expect(() => openJournal({ directory, fsync: 'never' } as unknown as JournalOptions)).toThrow(TypeError)
    expect(() => mkdirSync(directory)).not.toThrow()
  })
})

describe('closing', () => {
  test('flushes, and leaves no descriptor open', async () => {
    const { journal, faulty } = opened()
    journal.append(log('a'))
    await journal.close()
    expect(faulty.callsOf('fdatasync')).toHaveLength(1)
    expect(faulty.openFiles).toStrictEqual([])
  })

  test('afterwards append throws, flush rejects, record drops with a warning, and close is done', async () => {
    const { journal, directory, logger, faulty } = opened()
    await journal.close()
    expect(writeErrorOf(() => journal.append(log('a'))).code).toBe('JOURNAL_CLOSED')
    expect((await rejectionOf(journal.flush())).code).toBe('JOURNAL_CLOSED')
    expect(journal.record(log('b'))).toBe('b')
    expect(journal.counters).toMatchObject({ appended: 0, dropped: 1 })
    expect(logger.logged).toMatchObject([
      { fields: { correlation_id: 'b', err: { code: 'JOURNAL_CLOSED' }, dropped: 1 }, message: LOST_WARNING },
    ])
    await journal.close()
    expect(textOf(directory)).toBe('')
    expect(faulty.openFiles).toStrictEqual([])
  })

  test('twice at once waits for the same sync, and for its failure', async () => {
    const { journal, directory, faulty } = opened()
    journal.append(log('a'))
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    const closings = [journal.close(), journal.close()]
    for (const closing of closings) expect(await rejectionOf(closing)).toMatchObject({ code: 'SYNC_FAILED' })
    journal.append(log('b'))
    await journal.close()
    expect(namesIn(directory)).toStrictEqual(['a', 'b'])
    expect(faulty.openFiles).toStrictEqual([])
  })

  test('while a flush runs finishes that one first', async () => {
    const { journal, faulty } = opened()
    journal.append(log('a'))
    const flushed = journal.flush()
    const closed = journal.close()
    await Promise.all([flushed, closed])
    expect(faulty.openFiles).toStrictEqual([])
  })
})
