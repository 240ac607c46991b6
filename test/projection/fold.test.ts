import { describe, expect } from 'vitest'
import { doctor, status, verify } from '../../src/maintenance/index.js'
import { projectOnce } from '../../src/projection/index.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { test } from '../support/workspace.js'

const ROWS = 'SELECT id, correlation_id, output_tokens, success FROM requests ORDER BY id'

describe('stream_completed', () => {
  test('overwrites outcome columns, nulls included, but not the timestamp', async ({ workspace }) => {
    const began = { streaming: true, cost_sats: 1, error_status: 200, input_tokens: 7, provider_cost_sats: 2 }
    const end = {
      timestamp: '2026-11-22T11:00:00.000Z',
      output_tokens: 9,
      stream_duration_ms: 1234.6,
      success: false,
    }
    writeSegment(workspace.journal, lines(requestLine('a', began), completionLine('a', end)))
    await projectOnce(workspace)
    expect(workspace.query('SELECT * FROM requests')).toMatchObject([
      {
        timestamp: '2026-11-22T10:00:00.000Z',
        streaming: 1,
        input_tokens: null,
        output_tokens: 9,
        cost_sats: null,
        provider_cost_sats: null,
        error_status: null,
        stream_duration_ms: 1235,
        success: 0,
        completed_byte_offset: requestLine('a', began).length + 1,
      },
    ])
  })

  test('without success leaves what the request said', async ({ workspace }) => {
    writeSegment(
      workspace.journal,
      lines(requestLine('a', { success: false }), completionLine('a', { output_tokens: 3 })),
    )
    await projectOnce(workspace)
    expect(workspace.query(ROWS)).toMatchObject([{ output_tokens: 3, success: 0 }])
  })

  test('goes to the newest row with its correlation_id', async ({ workspace }) => {
    const end = completionLine('a', { output_tokens: 5, success: true })
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('a'), end, requestLine('a')))
    await projectOnce(workspace)
    expect(workspace.query(ROWS).map((row) => row['output_tokens'])).toEqual([null, 5, null])
  })

  const stream = (attempt?: number) =>
    requestLine('a', { streaming: true, ...(attempt === undefined ? {} : { attempt }) })
  const end = (output: number, attempt?: number) =>
    completionLine('a', { output_tokens: output, ...(attempt === undefined ? {} : { attempt }) })

  // Of each row the output_tokens, in the order of ids.
  test.for([
    ['names its attempt', [stream(0), stream(1), end(1, 0), end(10, 1)], [1, 10], 0, 0],
    ['names an attempt that was logged twice', [stream(0), stream(0), end(1, 0)], [null, 1], 0, 0],
    ['names an attempt that comes later', [stream(0), end(10, 1), stream(1), end(1, 0)], [1, 10], 0, 0],
    ['names an attempt that never comes', [stream(0), stream(), end(10, 1)], [null, null], 0, 0],
    ['names no attempt: the newest open stream', [stream(), stream(), end(10), end(1)], [1, 10], 0, 1],
    [
      'names no attempt: what does not stream is not open',
      [stream(), requestLine('a'), end(1)],
      [1, null],
      0,
      0,
    ],
    ['names none, and none is open', [stream(), stream(), end(1), end(2), end(3)], [2, 3], 1, 1],
    ['names its attempt again', [stream(0), end(1, 0), end(2, 0)], [2], 1, 0],
  ] as const)('that %s', async ([, events, expected, repeated, ambiguous], { workspace }) => {
    writeSegment(workspace.journal, lines(...events))
    await projectOnce(workspace)
    expect(workspace.query(ROWS).map((row) => row['output_tokens'])).toEqual(expected)
    expect((await status(workspace)).database).toMatchObject({
      repeated_completions: repeated,
      ambiguous_completions: ambiguous,
    })
    expect(await verify(workspace)).toMatchObject({ problems: [] })
    const { checks } = await doctor(workspace)
    const finding = checks.find(({ check }) => check === 'completions')
    expect(finding?.level).toBe(repeated + ambiguous === 0 ? 'ok' : 'note')
    expect(finding?.items).toHaveLength(repeated + ambiguous)
  })

  test('of an id that very many rows share looks at the newest of them', async ({ workspace }) => {
    const others = Array.from({ length: 1000 }, () => requestLine('a'))
    writeSegment(workspace.journal, lines(stream(7), ...others, end(1, 7), end(2)))
    await projectOnce(workspace)
    const ended = 'SELECT id FROM requests WHERE completed_byte_offset IS NOT NULL'
    expect(workspace.query(ended)).toEqual([{ id: 1001 }])
    expect(workspace.query('SELECT attempt FROM held_completions')).toEqual([{ attempt: 7 }])
    expect(await verify(workspace)).toMatchObject({ problems: [], held: 1 })
    // The checker doesn't know where to stop.
    workspace.expectDamage()
  })

  test('that comes first is held and applied in the order of the journal', async ({ workspace }) => {
    const first = completionLine('a', { output_tokens: 1, success: true })
    const second = completionLine('a', { output_tokens: 2, success: true })
    writeSegment(workspace.journal, lines(first, second))
    expect(await projectOnce(workspace)).toMatchObject({ projected: 2 })
    expect(workspace.query('SELECT * FROM held_completions')).toHaveLength(2)
    writeSegment(workspace.journal, lines(requestLine('b'), requestLine('a'), requestLine('a')))
    await projectOnce(workspace)
    expect(workspace.query(ROWS).map((row) => row['output_tokens'])).toEqual([null, 2, null])
    expect(workspace.query('SELECT * FROM held_completions')).toHaveLength(0)
  })

  test('that comes first is applied, however many others wait for the same request', async ({
    workspace,
  }) => {
    const ends = Array.from({ length: 2500 }, (_, tokens) => end(tokens))
    writeSegment(workspace.journal, lines(...ends, end(7, 7)))
    await projectOnce(workspace)
    writeSegment(workspace.journal, lines(stream(0)))
    await projectOnce(workspace)
    expect(workspace.query(ROWS).map((row) => row['output_tokens'])).toEqual([2499])
    expect(workspace.query('SELECT attempt FROM held_completions')).toEqual([{ attempt: 7 }])
  })
})

describe('token_ratios', () => {
  const sample = (id: string, input: number | null, output: number | null, fields = {}) =>
    requestLine(id, { policy: 'chat', input_tokens: input, output_tokens: output, ...fields })

  test('mean of successful requests that have both, input > 0; null policies skipped', async ({
    workspace,
  }) => {
    writeSegment(
      workspace.journal,
      lines(
        sample('a', 100, 50),
        sample('b', 100, 150),
        sample('c', 0, 10),
        sample('d', null, 10),
        sample('e', 10, null),
        sample('f', 10, 10, { success: false }),
        sample('g', 10, 10, { policy: null }),
        sample('h', 3, 1, { policy: 'code' }),
      ),
    )
    await projectOnce(workspace)
    expect(workspace.query('SELECT * FROM token_ratios ORDER BY policy')).toEqual([
      { policy: 'chat', avg_ratio: 1, sample_count: 2 },
      { policy: 'code', avg_ratio: 0.333333, sample_count: 1 },
    ])
  })

  test('are corrected by a completion, and gone with their last sample', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(sample('a', 100, 50), sample('b', 100, 100)))
    await projectOnce(workspace)
    writeSegment(
      workspace.journal,
      lines(completionLine('a', { input_tokens: 100, output_tokens: 300, success: true })),
    )
    await projectOnce(workspace)
    expect(workspace.query('SELECT * FROM token_ratios')).toMatchObject([{ avg_ratio: 2, sample_count: 2 }])
    writeSegment(
      workspace.journal,
      lines(completionLine('a', { success: false }), completionLine('b', { success: false })),
    )
    await projectOnce(workspace)
    expect(workspace.query('SELECT * FROM token_ratios')).toEqual([])
    expect(workspace.query('SELECT * FROM token_ratio_sums')).toEqual([])
  })

  test('hold out against absurd token counts', async ({ workspace }) => {
    const absurd = Array.from({ length: 20 }, (_, i) => sample(`x${i}`, 1, Number.MAX_SAFE_INTEGER))
    writeSegment(workspace.journal, lines(...absurd, requestLine('z')))
    await projectOnce(workspace)
    expect(workspace.query('SELECT typeof(ratio_millionths) AS t FROM token_ratio_sums')).toEqual([
      { t: 'integer' },
    ])
    workspace.expectDamage()
  })
})

describe('rejected lines', () => {
  test('are kept with place and reason, and projection goes on', async ({ workspace }) => {
    const broken = requestLine('x').replace('gpt-4o', 'gpt-5o')
    const bad = [
      'not json',
      '[1]',
      '{"type":"price_changed"}',
      '{"model":"m","latency_ms":-1,"success":true}',
      broken,
    ]
    writeSegment(workspace.journal, lines(requestLine('a'), ...bad, '', '  \t\r', requestLine('b')))
    expect(await projectOnce(workspace)).toMatchObject({ projected: 2, rejected: 5, lines: 7 })
    const rejected = workspace.query(
      'SELECT byte_offset, reason, detail FROM rejected_lines ORDER BY byte_offset',
    )
    expect(rejected.map((row) => row['reason'])).toEqual([
      'not_json',
      'not_an_object',
      'unknown_type',
      'invalid_event',
      'checksum_mismatch',
    ])
    expect(rejected[0]?.['byte_offset']).toBe(requestLine('a').length + 1)
    expect(rejected[3]?.['detail']).toContain('latency_ms: found -1')
  })

  test('of 3 MiB are passed over, the event inside recovered', async ({ workspace }) => {
    const noise = `{"type":"request_logged","error_message":"${'x'.repeat(3 * 1024 * 1024)}`
    writeSegment(workspace.journal, lines(requestLine('a'), noise + requestLine('b'), requestLine('c')))
    expect(await projectOnce(workspace)).toMatchObject({ projected: 3, rejected: 1 })
    expect(workspace.query(ROWS).map((row) => row['correlation_id'])).toEqual(['a', 'b', 'c'])
  })
})

test('white space is no part of what is rejected, however much of it there is', async ({ workspace }) => {
  const blank = ' \t\r'.repeat(400_000)
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => requestLine(name)) as [
    string,
    string,
    string,
    string,
  ]
  const ofLines = [
    blank,
    `${blank}${a}${blank}`,
    `${blank}x${b}${blank}`,
    `${blank}${c}y${blank}${d}${blank}`,
  ]
  writeSegment(workspace.journal, lines(...ofLines, blank))
  expect(await projectOnce(workspace)).toMatchObject({ projected: 4, rejected: 2, lines: 3 })
  const offsets = workspace.query('SELECT byte_offset, reason FROM rejected_lines ORDER BY byte_offset')
  const third = ofLines.slice(0, 2).join('').length + 2
  const fourth = third + (ofLines[2]?.length ?? 0) + 1
  expect(offsets).toEqual([
    { byte_offset: third, reason: 'too_long' },
    { byte_offset: fourth + blank.length + c.length, reason: 'too_long' },
  ])
  const [lengths] = workspace.query('SELECT group_concat(length) AS n FROM rejected_lines')
  expect(lengths).toEqual({ n: `${blank.length + 1},${1 + blank.length}` })
})

describe('foreign lines', () => {
  test('need only the required fields; what is left out is the same in every replay', async ({
    workspace,
  }) => {
    writeSegment(workspace.journal, lines('{"model":"m","latency_ms":1.5,"success":true}'), DAY)
    expect(await projectOnce(workspace)).toMatchObject({ projected: 1, unchecked: 1 })
    const [row] = workspace.query('SELECT timestamp, correlation_id, latency_ms FROM requests')
    expect(row).toMatchObject({ timestamp: '2026-11-22T00:00:00.000Z', latency_ms: 2 })
    expect(row?.['correlation_id']).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
    )
  })
})
