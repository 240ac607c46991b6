import { describe, expect, test } from 'vitest'
import { InvalidEventError } from '../../src/events/errors.js'
import { normalizeEvent, unknownFields } from '../../src/events/normalize-event.js'
import { MAX_ERROR_MESSAGE_BYTES } from '../../src/events/value-kinds.js'
import { defaults, ID, leastLog, NOW, normalizedCompletion, normalizedLog } from './support.js'

function problemsOf(input: unknown): InvalidEventError['problems'] {
  try {
    normalizeEvent(input, defaults)
  } catch (error) {
    if (error instanceof InvalidEventError) return error.problems
    throw error
  }
  throw new Error('expected an InvalidEventError, nothing was thrown')
}

describe('what is left out gets its default', () => {
  const complete = {
    type: 'request_logged',
    correlation_id: ID,
    timestamp: NOW,
    model: 'gpt-5',
    provider: null,
    policy: null,
    streaming: false,
    input_tokens: null,
    output_tokens: null,
    cost_sats: null,
    provider_cost_sats: null,
    latency_ms: 12,
    success: true,
    error_status: null,
    error_message: null,
  }

  test('a request log gets every default', () => {
    expect(normalizeEvent(leastLog, defaults)).toStrictEqual(complete)
  })

  test('a field that is undefined counts as left out', () => {
    const required = new Set(Object.keys(leastLog))
    const optional = [...Object.keys(complete), 'attempt', 'labels'].filter((field) => !required.has(field))
    const log = { ...leastLog, ...Object.fromEntries(optional.map((field) => [field, undefined])) }
    expect(normalizeEvent(log, defaults)).toStrictEqual(complete)
  })

  test('the fields keep their order, type first', () => {
    const shuffled = {
      success: true,
      latency_ms: 12,
      model: 'gpt-5',
      correlation_id: ID,
      type: 'request_logged',
    }
    expect(Object.keys(normalizeEvent(shuffled, defaults))).toStrictEqual(Object.keys(complete))
  })

  test('figures that a stream_completed leaves out are null, which is not 0', () => {
    expect(normalizeEvent({ type: 'stream_completed', correlation_id: 'c' }, defaults)).toStrictEqual({
      type: 'stream_completed',
      correlation_id: 'c',
      timestamp: NOW,
      input_tokens: null,
      output_tokens: null,
      cost_sats: null,
      provider_cost_sats: null,
      stream_duration_ms: null,
      success: null,
      error_status: null,
      error_message: null,
    })
  })

  test('a foreign stream_completed may say null to its timestamp', () => {
    const foreign = { type: 'stream_completed', correlation_id: 'c', timestamp: null }
    expect(normalizedCompletion(foreign).timestamp).toBe(NOW)
  })

  test('0, false and the empty text are values, not absences', () => {
    const log = {
      ...leastLog,
      input_tokens: 0,
      cost_sats: 0,
      streaming: false,
      provider: '',
      error_status: 0,
    }
    expect(normalizedLog(log)).toMatchObject({ input_tokens: 0, cost_sats: 0, provider: '', error_status: 0 })
  })
})

describe('values are made safe', () => {
  test('lone surrogates become U+FFFD wherever a text may stand', () => {
    const bad = 'a\ud800b'
    const log = normalizedLog({
      ...leastLog,
      correlation_id: bad,
      model: bad,
      provider: bad,
      policy: bad,
      error_message: bad,
      labels: { [bad]: bad },
    })
    expect(log).toMatchObject({
      correlation_id: 'a\ufffdb',
      model: 'a\ufffdb',
      provider: 'a\ufffdb',
      policy: 'a\ufffdb',
      error_message: 'a\ufffdb',
      labels: { 'a\ufffdb': 'a\ufffdb' },
    })
    expect(normalizedCompletion({ type: 'stream_completed', correlation_id: bad }).correlation_id).toBe(
      'a\ufffdb',
    )
  })

  test('−0 becomes 0 in every number', () => {
    const zeros = {
      input_tokens: -0,
      output_tokens: -0,
      cost_sats: -0,
      provider_cost_sats: -0,
      error_status: -0,
    }
    const log = normalizedLog({ ...leastLog, ...zeros, latency_ms: -0 })
    const completion = normalizedCompletion({
      type: 'stream_completed',
      correlation_id: 'c',
      ...zeros,
      stream_duration_ms: -0,
    })
    for (const event of [log, completion]) {
      for (const value of Object.values(event)) {
        if (typeof value === 'number') expect(Object.is(value, 0)).toBe(true)
      }
    }
  })

  test('milliseconds are rounded, tokens are not', () => {
    expect(normalizedLog({ ...leastLog, latency_ms: 12.5 }).latency_ms).toBe(13)
    expect(normalizedLog({ ...leastLog, latency_ms: 0.49 }).latency_ms).toBe(0)
    const completion = { type: 'stream_completed', correlation_id: 'c', stream_duration_ms: 99.6 }
    expect(normalizedCompletion(completion).stream_duration_ms).toBe(100)
    expect(problemsOf({ ...leastLog, input_tokens: 1.5 })).toHaveLength(1)
  })

  test('fractions of satoshis are kept', () => {
    expect(normalizedLog({ ...leastLog, cost_sats: 0.1 + 0.2 }).cost_sats).toBe(0.30000000000000004)
  })

  test('the timestamp is made canonical', () => {
    const log = normalizedLog({ ...leastLog, timestamp: '2026-11-22T20:43:00.1239+01:00' })
    expect(log.timestamp).toBe(NOW)
  })

  test.each([
    ['ascii, one too many', 'x'.repeat(4097), 'x'.repeat(4096)],
    ['exactly as long as allowed', 'x'.repeat(4096), 'x'.repeat(4096)],
    ['two bytes across the end', `x${'é'.repeat(2048)}`, `x${'é'.repeat(2047)}`],
    ['three bytes across the end', '€'.repeat(1366), '€'.repeat(1365)],
    ['four bytes across the end', `xx${'😀'.repeat(1024)}`, `xx${'😀'.repeat(1023)}`],
    ['four bytes, ending at the end', '😀'.repeat(1025), '😀'.repeat(1024)],
    ['a lone surrogate at the end', `${'x'.repeat(4094)}\ud83d`, 'x'.repeat(4094)],
  ])('an error_message is cut between two characters: %s', (_, message, kept) => {
    const cut = normalizedLog({ ...leastLog, error_message: message }).error_message
    expect(cut).toBe(kept)
    expect(Buffer.byteLength(cut ?? '')).toBeLessThanOrEqual(MAX_ERROR_MESSAGE_BYTES)
  })
})

describe('labels', () => {
  test('a label may have any name, __proto__ among them', () => {
    const labels = JSON.parse('{"__proto__":"p","constructor":"c","toString":"t","":"e"}')
    const complete = normalizedLog({ ...leastLog, labels }).labels ?? {}
    expect(JSON.stringify(complete)).toBe('{"__proto__":"p","constructor":"c","toString":"t","":"e"}')
    expect(Object.getPrototypeOf(complete)).toBe(Object.prototype)
  })

  test('__proto__ is checked like any other', () => {
    const labels = JSON.parse('{"__proto__":{"x":1}}')
    expect(problemsOf({ ...leastLog, labels })).toStrictEqual([
      { field: 'labels.__proto__', found: 'an object', expected: 'a string without NUL' },
    ])
  })

  test('a Map is refused: it isn’t an object of strings', () => {
    const labels = new Map([['team', 'a']])
    expect(problemsOf({ ...leastLog, labels })).toStrictEqual([
      { field: 'labels', found: 'an instance of Map', expected: 'an object of strings' },
    ])
  })

  test('a label that is undefined is left out', () => {
    const labels = { team: undefined, user: 'u' }
    expect(normalizedLog({ ...leastLog, labels }).labels).toStrictEqual({ user: 'u' })
    expect(problemsOf({ ...leastLog, labels: { team: undefined, user: 1 } })).toMatchObject([
      { field: 'labels.user' },
    ])
  })

  test('labels are copied: a caller’s later change isn’t logged', () => {
    const labels = { team: 'a' }
    const complete = normalizedLog({ ...leastLog, labels })
    labels.team = 'b'
    expect(complete.labels).toStrictEqual({ team: 'a' })
  })

  test.each([
    [{ team: 1 }, 'labels.team', '1'],
    [{ team: null }, 'labels.team', 'null'],
    [{ team: 'a\0b' }, 'labels.team', '"a\\u0000b"'],
    [{ 'te\0am': 'x' }, 'labels.te\\u0000am', 'a NUL in its name'],
    [['x'], 'labels', 'an array of 1'],
    ['team', 'labels', '"team"'],
    [null, 'labels', 'null'],
  ])('%j is refused', (labels, field, found) => {
    expect(problemsOf({ ...leastLog, labels })).toMatchObject([{ field, found }])
  })
})

describe('what breaks the schema is refused, and named', () => {
  test.each([
    ['model', undefined],
    ['model', null],
    ['model', 5],
    ['model', 'a\0b'],
    ['latency_ms', undefined],
    ['latency_ms', -1],
    ['latency_ms', '12'],
    ['latency_ms', Number.NaN],
    ['latency_ms', Number.POSITIVE_INFINITY],
    ['latency_ms', 2 ** 53],
    ['success', undefined],
    ['success', 1],
    ['success', 'true'],
    ['correlation_id', null],
    ['correlation_id', 'a\0b'],
    ['correlation_id', 5],
    ['timestamp', null],
    ['timestamp', 'yesterday'],
    ['timestamp', '0000-01-01T00:00:00Z'],
    ['timestamp', new Date(0)],
    ['provider', 'a\0b'],
    ['policy', 'a\0b'],
    ['streaming', null],
    ['input_tokens', -1],
    ['input_tokens', Number.NaN],
    ['input_tokens', 2 ** 53],
    ['input_tokens', 10n],
    ['output_tokens', 0.5],
    ['cost_sats', 5n],
    ['provider_cost_sats', '1'],
    ['error_status', 500.5],
    ['error_status', -(2 ** 53)],
    ['error_message', {}],
  ])('%s: %s', (field, value) => {
    const problems = problemsOf({ ...leastLog, [field]: value })
    expect(problems.map((problem) => problem.field)).toStrictEqual([field])
    expect(problems[0]?.expected).not.toBe('')
  })

  test.each([
    ['correlation_id', undefined],
    ['stream_duration_ms', -1],
    ['stream_duration_ms', 2 ** 53],
    ['success', 0],
    ['timestamp', 'x'],
  ])('in a stream_completed, %s: %s', (field, value) => {
    const completion = { type: 'stream_completed', correlation_id: 'c', [field]: value }
    expect(problemsOf(completion).map((problem) => problem.field)).toStrictEqual([field])
  })

  test('the greatest integers are accepted', () => {
    const log = normalizedLog({ ...leastLog, input_tokens: 2 ** 53 - 1, latency_ms: 2 ** 53 - 1 })
    expect(log).toMatchObject({ input_tokens: 2 ** 53 - 1, latency_ms: 2 ** 53 - 1 })
  })

  test('the error names every problem at once, with field, found and expected', () => {
    const log = {
      model: 'x'.repeat(100_000).concat('\0'),
      latency_ms: 'slow',
      input_tokens: -1,
      cost_sats: 'free',
      timestamp: 'today',
      labels: { a: 1, b: null },
    }
    const problems = problemsOf(log)
    expect(problems.map(({ field, found, expected }) => [field, found.slice(0, 10), expected])).toStrictEqual(
      [
        ['model', '"xxxxxxxxx', 'a string without NUL'],
        ['latency_ms', '"slow"', 'a number from 0 to 2^53 − 1'],
        ['success', 'nothing', 'true or false'],
        ['input_tokens', '-1', 'an integer from 0 to 2^53 − 1 or null'],
        ['cost_sats', '"free"', 'a finite number or null'],
        ['labels.a', '1', 'a string without NUL'],
        ['labels.b', 'null', 'a string without NUL'],
        ['timestamp', '"today"', "RFC 3339 with seconds and an offset, as '2026-11-22T19:43:00.123Z'"],
      ],
    )
    const { message } = new InvalidEventError(problems)
    expect(message).toMatch(/^Invalid request log event: model: found "x/)
    expect(message).toContain('; timestamp: found "today", ')
    expect(message).toContain(
      '; latency_ms: found "slow", expected a number from 0 to 2^53 − 1; success: found',
    )
    expect(message.length).toBeLessThan(1000)
  })

  test.each([[null], [undefined], [5], ['text'], [[]], [[leastLog]], [10n], [Symbol('s')]])(
    'an event that isn’t an object is refused: %s',
    (input) => {
      expect(problemsOf(input)).toMatchObject([{ field: 'event', expected: 'an object' }])
    },
  )

  test.each([['request_finished'], [null], [''], [5], [{}]])('an unknown type is refused: %j', (type) => {
    expect(problemsOf({ ...leastLog, type })).toMatchObject([{ field: 'type' }])
  })
})

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'a cost of %d becomes null, and the caller is told: an event is worth more than its cost',
  (cost) => {
    const told: string[] = []
    const listening = { ...defaults, costDropped: (member: string) => told.push(member) }
    const costs = { cost_sats: cost, provider_cost_sats: cost }
    const nulls = { cost_sats: null, provider_cost_sats: null }
    expect(normalizeEvent({ ...leastLog, ...costs, labels: { a: undefined } }, listening)).toMatchObject(
      nulls,
    )
    const completion = { type: 'stream_completed', correlation_id: 'c', input_tokens: 1 }
    expect(normalizeEvent({ ...completion, ...costs, cost_sats: 5 }, listening)).toMatchObject({
      ...nulls,
      cost_sats: 5,
      input_tokens: 1,
    })
    expect(told).toEqual(['cost_sats', 'provider_cost_sats', 'provider_cost_sats'])
    expect(() => normalizeEvent({ ...leastLog, ...costs, model: 5 }, listening)).toThrow('model: found 5')
    expect(told).toHaveLength(3)
  },
)

test('an error names at most twenty problems, and says how many more there are', () => {
  const labels = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`label${i}`, i]))
  expect(problemsOf({ ...leastLog, labels })).toHaveLength(20)
  expect(() => normalizeEvent({ ...leastLog, labels }, defaults)).toThrow(/label19: .*; and 4980 more$/)
})

describe('unknown members', () => {
  test.each([
    ['stream_duration_ms', { type: 'request_logged' as const, ...leastLog, stream_duration_ms: 5 }],
    ['model', { type: 'stream_completed' as const, correlation_id: 'c', output_tokens: 1, model: 'm' }],
  ])('a member of the other event is unknown: %s', (member, event) => {
    expect(Object.keys(unknownFields(event, event.type) ?? {})).toEqual([member])
    expect(Object.keys(unknownFields(event, event.type) ?? {})).toEqual([member])
  })

  test('an event of known members has none', () => {
    expect(unknownFields({ ...leastLog, type: 'request_logged', labels: {} }, 'request_logged')).toBeNull()
  })

  test('they are kept apart; undefined and crc32 are not among them', () => {
    const log = { ...leastLog, crc32: 'x', absent: undefined, trace: { id: 1 }, nothing: null }
    expect(unknownFields(log, 'request_logged')).toStrictEqual({ trace: { id: 1 }, nothing: null })
  })

  test('a member without a value in one event is found when the next has one', () => {
    const log = (trace: string | undefined) => ({ ...leastLog, trace })
    expect(unknownFields(log(undefined), 'request_logged')).toBeNull()
    expect(unknownFields(log(undefined), 'request_logged')).toBeNull()
    expect(unknownFields(log('x'), 'request_logged')).toStrictEqual({ trace: 'x' })
  })

  test('a member named __proto__ is kept, and changes no prototype', () => {
    const unknown = unknownFields({ ...leastLog, ...{ ['__proto__']: { x: 1 } } }, 'request_logged')
    expect(JSON.stringify(unknown)).toBe('{"__proto__":{"x":1}}')
    expect(Object.getPrototypeOf(unknown)).toBe(Object.prototype)
  })
})
