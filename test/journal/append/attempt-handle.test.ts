import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Attempt, AttemptStart } from '../../../src/journal/append/attempt-handle.js'
import { type Opened, opened, readSegment, SEGMENT, textOf } from '../support.js'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

// biome-ignore lint/suspicious/noExplicitAny: what callers without TypeScript pass
const untyped = (value: unknown) => value as any

/** The monotonic clock, which stands still until it is advanced. */
class Stopwatch {
  #now = 5000

  constructor() {
    vi.spyOn(performance, 'now').mockImplementation(() => this.#now)
  }

  advance(ms: number): void {
    this.#now += ms
  }
}

afterEach(() => {
  vi.restoreAllMocks()
})

function eventsIn({ directory }: Opened): Record<string, unknown>[] {
  return readSegment(Buffer.from(textOf(directory, SEGMENT)))
}

describe('an attempt', () => {
  test('that completes is one request_logged with the time since it began', () => {
    const watch = new Stopwatch()
    const log = opened()
    const labels = { team: 'a' }
    const start = { model: 'gpt-5', provider: 'east', policy: 'p', attempt: 0, labels }
    const attempt = log.journal.begin(start)
    start.model = 'changed by the caller'
    expect(eventsIn(log)).toEqual([])
    watch.advance(812.4)
    attempt.complete({
      input_tokens: 5,
      output_tokens: 7,
      provider_cost_usd: 0.25,
      response_model: 'gpt-5-1',
    })
    expect(eventsIn(log)).toEqual([
      expect.objectContaining({
        type: 'request_logged',
        correlation_id: attempt.correlation_id,
        timestamp: '2026-11-22T19:43:00.123Z',
        model: 'gpt-5',
        provider: 'east',
        policy: 'p',
        attempt: 0,
        labels: { team: 'a' },
        streaming: false,
        latency_ms: 812,
        success: true,
        input_tokens: 5,
        output_tokens: 7,
        provider_cost_usd: 0.25,
        response_model: 'gpt-5-1',
        error_message: null,
      }),
    ])
  })

  test('whose stream completes is a request_logged at the first byte and a stream_completed at the end', () => {
    const watch = new Stopwatch()
    const log = opened()
    const attempt = log.journal.begin({ model: 'm', attempt: 2, correlation_id: 'c', service_tier: 'flex' })
    watch.advance(310)
    attempt.firstByte()
    const first = {
      type: 'request_logged',
      correlation_id: 'c',
      attempt: 2,
      streaming: true,
      latency_ms: 310,
    }
    const unknown = { input_tokens: null, success: true, service_tier: 'flex' }
    expect(eventsIn(log)).toEqual([expect.objectContaining({ ...first, ...unknown })])
    watch.advance(9200)
    attempt.complete({ output_tokens: 9 })
    expect(eventsIn(log)[1]).toMatchObject({
      type: 'stream_completed',
      correlation_id: 'c',
      attempt: 2,
      input_tokens: null,
      output_tokens: 9,
      stream_duration_ms: 9200,
      success: true,
      // A completion overwrites the row's tier: one that isn't told again must not be lost.
      service_tier: 'flex',
    })
  })

  test('that fails is one request_logged with the error, and with tokens as far as they are known', () => {
    const log = opened()
    log.journal.begin({ model: 'm', streaming: true }).fail({ error_status: 429, error_message: 'slow down' })
    const stream = log.journal.begin({ model: 'm' })
    stream.firstByte()
    stream.fail({ error_message: 'stream_incomplete', output_tokens: 3 })
    expect(eventsIn(log)).toMatchObject([
      {
        type: 'request_logged',
        streaming: true,
        success: false,
        error_status: 429,
        error_message: 'slow down',
      },
      { type: 'request_logged', streaming: true, success: true },
      { type: 'stream_completed', success: false, error_message: 'stream_incomplete', output_tokens: 3 },
    ])
  })

  test('whose stream completes without a byte is begun and ended, so that its row is not open', () => {
    const log = opened()
    log.journal.begin({ model: 'm', streaming: true }).complete()
    expect(eventsIn(log).map(({ type }) => type)).toEqual(['request_logged', 'stream_completed'])
  })

  test('keeps the timestamp that it was begun with, in request_logged only', () => {
    const log = opened()
    const attempt = log.journal.begin({ model: 'm', timestamp: '2026-11-01T00:00:00Z' })
    attempt.firstByte()
    attempt.complete()
    expect(eventsIn(log).map(({ timestamp }) => timestamp)).toEqual([
      '2026-11-01T00:00:00.000Z',
      '2026-11-22T19:43:00.123Z',
    ])
  })

  test('gives the next attempt its correlation_id', () => {
    const log = opened()
    const first = log.journal.begin({ model: 'a', attempt: 0 })
    first.fail()
    log.journal.begin({ model: 'b', attempt: 1, correlation_id: first.correlation_id }).complete()
    const [one, two] = eventsIn(log)
    expect(one?.['correlation_id']).toBe(two?.['correlation_id'])
  })
})

describe('a call that comes too late', () => {
  const calls = ['firstByte', 'complete', 'fail'] as const
  const late = [
    ['firstByte', 'firstByte', 1],
    ...calls.flatMap((later) => [
      ['complete', later, 1],
      ['fail', later, 1],
    ]),
  ] as [(typeof calls)[number], (typeof calls)[number], number][]

  test.each(late)('after %s(), %s() writes nothing and warns', (earlier, later, written) => {
    const log = opened()
    const attempt = log.journal.begin({ model: 'm', correlation_id: 'c' })
    attempt[earlier]()
    attempt[later]()
    expect(eventsIn(log)).toHaveLength(written)
    expect(log.logger.logged).toEqual([
      {
        level: 'warn',
        fields: { correlation_id: 'c' },
        message: `${later}() was called after ${earlier}() on the same attempt: ignored`,
      },
    ])
  })

  test('warns at a bounded rate', () => {
    const { journal, logger } = opened()
    const attempt = journal.begin({ model: 'm' })
    attempt.complete()
    for (let i = 0; i < 1000; i++) attempt.complete()
    expect(logger.logged).toHaveLength(20)
  })
})

describe('what a caller gets wrong', () => {
  const trap = {
    model: 'm',
    get provider(): string {
      throw new Error('a trap')
    },
  }
  const starts: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a text', 'gpt-5'],
    ['a model that is a number', { model: 5 }],
    ['a correlation_id that is a number', { model: 'm', correlation_id: 5 }],
    ['a correlation_id with a NUL', { model: 'm', correlation_id: 'a\0b' }],
    ['a getter that throws', trap],
  ]

  test.each(starts)('a start that is %s is refused as an invalid event, and nothing throws', (_, start) => {
    const log = opened()
    const attempt = log.journal.begin(start as AttemptStart)
    expect(attempt.correlation_id).toEqual(expect.any(String))
    attempt.complete()
    expect(log.logger.messages).toEqual(['Invalid request log event'])
    expect(log.journal.counters).toMatchObject({ appended: 0, invalid: 1 })
  })

  test.each([
    ['null', null],
    ['a text', 'done'],
    ['negative tokens', { input_tokens: -1 }],
    ['a getter that throws', trap],
  ])('an outcome that is %s is refused as an invalid event, and nothing throws', (_, outcome) => {
    const log = opened()
    log.journal.begin({ model: 'm' }).complete(untyped(outcome))
    expect(log.logger.messages).toEqual(['Invalid request log event'])
    expect(eventsIn(log)).toEqual([])
  })

  test('a start or an outcome can change neither the type nor the times nor the success', () => {
    const log = opened()
    const claims = { type: 'price_set', latency_ms: -5, success: 'maybe', correlation_id: 'c', model: 'm' }
    log.journal.begin(untyped(claims)).fail(untyped({ ...claims, correlation_id: 'd' }))
    expect(eventsIn(log)).toMatchObject([{ type: 'request_logged', correlation_id: 'c', success: false }])
  })

  test('a closed journal loses the event and throws nothing', async () => {
    const { journal } = opened()
    const attempt = journal.begin({ model: 'm' })
    await journal.close()
    attempt.complete()
    expect(journal.counters.dropped).toBe(1)
  })
})

describe('a handle that is dropped', () => {
  async function untilAbandoned({ journal }: Opened, count: number): Promise<void> {
    while (journal.counters.abandoned < count) {
      collectGarbage()
      // A collected object is reported some turns later, and waiting for that costs less than
      // collecting again.
      for (let turn = 0; turn < 10; turn++) await nextTurn()
    }
  }

  test('is counted as abandoned, with one warning', async () => {
    const log = opened()
    const drop = (act: (attempt: Attempt) => void) =>
      act(log.journal.begin({ model: 'm', correlation_id: 'c' }))
    drop(() => {})
    await untilAbandoned(log, 1)
    expect(log.logger.logged).toEqual([
      {
        level: 'warn',
        fields: { correlation_id: 'c' },
        message: 'An attempt was abandoned: neither complete() nor fail() was called. It was not logged',
      },
    ])
    drop((attempt) => attempt.firstByte())
    await untilAbandoned(log, 2)
    expect(log.logger.messages[1]).toContain('Its stream has no end in the journal')
  })

  test('is not counted once it has ended', async () => {
    const log = opened()
    const end = () => {
      for (let i = 0; i < 100; i++) log.journal.begin({ model: 'm' }).complete()
    }
    end()
    const drop = () => void log.journal.begin({ model: 'm' })
    drop()
    await untilAbandoned(log, 1)
    for (let i = 0; i < 2; i++) {
      collectGarbage()
      await nextTurn()
    }
    expect(log.journal.counters.abandoned).toBe(1)
  })
})
