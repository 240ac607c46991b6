import { describe, expect, test } from 'vitest'
import { generateEvents } from './harness/events.mjs'
import { encodeLine } from './harness/line.mjs'
import { readOptions, UsageError } from './harness/options.mjs'
import { scenarios } from './scenarios/index.mjs'

const NAMES = ['append', 'replay']

describe('options', () => {
  test('all scenarios, unless some are named', () => {
    expect(readOptions([], NAMES)).toMatchObject({
      scenarios: NAMES,
      events: null,
      rounds: null,
      isQuick: false,
    })
    const named = readOptions(['--scenario', 'replay', '--scenario=replay', '--events', '5000'], NAMES)
    expect(named).toMatchObject({ scenarios: ['replay'], events: 5000 })
    expect(readOptions(['--scenario', 'replay,append'], NAMES).scenarios).toEqual(['replay', 'append'])
  })

  test.each([
    [['--scenario', 'reply'], /--scenario.*reply.*append, replay/],
    [['--events', '1e6'], /--events.*1e6/],
    [['--events', '10'], /--events.*from 1000/],
    [['--rounds', '0'], /--rounds.*0/],
    [['--seed=-1'], /--seed.*-1/],
    [['--json', ''], /--json/],
    [['--fast'], /--fast/],
    [['append'], /append/],
  ])('%j is wrong use, and the message names it', (parameters, message) => {
    expect(() => readOptions(parameters, NAMES)).toThrow(UsageError)
    expect(() => readOptions(parameters, NAMES)).toThrow(message)
  })
})

test('scenarios have different names', () => {
  expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length)
})

describe('generated events', () => {
  const day = { fromMs: Date.parse('2025-10-01T00:00:00Z'), toMs: Date.parse('2025-10-02T00:00:00Z') }

  test('a seed gives the same ones again, another seed others, and no id comes twice', () => {
    const of = (seed: number) => [...generateEvents({ events: 2000, seed, ...day })]
    expect(of(1)).toEqual(of(1))
    expect(of(2)).not.toEqual(of(1))
    const ids = [...of(1), ...of(2)].map((event) => event.correlation_id)
    expect(new Set(ids).size).toBe(4000)
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test('one in fifty fails', () => {
    const failed = [...generateEvents({ events: 10_000, seed: 1, ...day })].filter((event) => !event.success)
    expect(failed.length).toBeGreaterThan(150)
    expect(failed.length).toBeLessThan(250)
  })

  test('their lines have the checksum of the specification', () => {
    const { type: _, crc32: __, ...event } = JSON.parse(VECTOR)
    expect(encodeLine(event)).toBe(VECTOR)
  })
})

/** The first of the test vectors in journal/README.md. */
const VECTOR =
  '{"type":"request_logged","correlation_id":"0b5f6f0e-6d0c-4a57-9a3e-2f3f1b6d4c11","timestamp":"2026-11-22T19:43:00.123Z","model":"gpt-4o","provider":"openai","policy":"cheapest","streaming":false,"input_tokens":812,"output_tokens":164,"cost_sats":12.5,"provider_cost_sats":11.75,"latency_ms":842,"success":true,"error_status":null,"error_message":null,"crc32":"815a172c"}\n'
