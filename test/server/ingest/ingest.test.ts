import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { silentLogger } from '../../../src/journal/logger.js'
import { Ingest } from '../../../src/server/ingest/ingest.js'
import { MAX_EVENTS } from '../../../src/server/ingest/posted-events.js'
import { namesIn, opened, SEGMENT, segmentsOf, textOf } from '../../journal/support.js'
import { FaultyFileSystem } from '../../support/faulty-file-system.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

let directory: string
beforeEach(() => {
  const parent = mkdtempSync(join(tmpdir(), 'request-journal-ingest-'))
  directory = join(parent, 'journal')
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
})

/** An ingest on a journal of its own process, as after a start of the server. */
function start(faulty = new FaultyFileSystem()): Ingest {
  const { journal } = opened({ directory }, { faulty })
  return new Ingest(journal, directory, silentLogger)
}

const event = (model: string, fields: object = {}) => ({ model, latency_ms: 5, success: true, ...fields })

function bodyOf(...events: unknown[]): Buffer {
  return Buffer.from(JSON.stringify(events))
}

/** The models of the journal's lines that are whole, in order. */
function models(): unknown[] {
  const lines = textOf(directory).split('\n').slice(0, -1)
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line).model]
    } catch {
      return []
    }
  })
}

describe('a body', () => {
  test('is one event, an array of events, or an event a line; blank lines and an ending aren’t needed', async () => {
    const ingest = start()
    await ingest.post(Buffer.from(JSON.stringify(event('one'))), 'json', null)
    await ingest.post(bodyOf(event('two'), event('three')), 'json', null)
    const lines = `${JSON.stringify(event('four'))}\r\n\n  \n${JSON.stringify(event('five'))}`
    await ingest.post(Buffer.from(lines), 'ndjson', null)
    expect(models()).toEqual(['one', 'two', 'three', 'four', 'five'])
  })

  test('may hold every type of event; each keeps its timestamp and its correlation_id', async () => {
    const ingest = start()
    const answer = await ingest.post(
      bodyOf(
        event('m', { correlation_id: 'mine', timestamp: '2026-01-01T00:00:00+01:00', streaming: true }),
        {
          ...{
            type: 'stream_completed',
            correlation_id: 'mine',
            input_tokens: 1,
            output_tokens: 2,
            success: true,
          },
          ...{ cost_sats: null, provider_cost_sats: null, error_status: null, error_message: null },
          ...{ stream_duration_ms: 3 },
        },
        {
          type: 'price_set',
          model: 'm',
          valid_from: '2026-01-01T00:00:00Z',
          currency: 'usd',
          per_request: '0.1',
        },
        { type: 'exchange_rate_observed', observed_at: '2026-01-01T00:00:00Z', usd_per_btc: '100000' },
      ),
      'json',
      null,
    )
    expect(answer).toMatchObject({ appended: 4, repeated: 0, correlation_ids: ['mine', 'mine', null, null] })
    const [first] = textOf(directory).split('\n')
    expect(JSON.parse(first ?? '')).toMatchObject({ timestamp: '2025-12-31T23:00:00.000Z' })
    expect(textOf(directory)).not.toContain('ingest')
  })

  test('gets a correlation_id for each request that has none, and the answer tells it', async () => {
    const { correlation_ids } = await start().post(bodyOf(event('a'), event('b')), 'json', null)
    expect(correlation_ids).toEqual([expect.stringMatching(UUID), expect.stringMatching(UUID)])
    expect(new Set(correlation_ids).size).toBe(2)
    expect(namesIn(directory)).toEqual(correlation_ids)
  })

  test('with a bad event is refused as a whole, and each bad event is named by its index', async () => {
    const ingest = start()
    const lines = [
      JSON.stringify(event('good')),
      '{"model":',
      JSON.stringify({ model: 'm', latency_ms: -1, success: true }),
      '[]',
      JSON.stringify(event('m', { ingest: 1 })),
      JSON.stringify(event('m', { note: 'x'.repeat(1024 * 1024 - 200) })),
    ]
    const refused = ingest.post(Buffer.from(lines.join('\n')), 'ndjson', 'key')
    const errors = [
      { index: 1, message: expect.stringContaining('JSON') },
      { index: 2, message: expect.stringContaining('latency_ms: found -1') },
      { index: 3, message: expect.stringContaining('not an object') },
      { index: 4, message: 'ingest: the server itself writes this member' },
      { index: 5, message: expect.stringContaining('at most 1048576') },
    ]
    await expect(refused).rejects.toMatchObject({ status: 400, details: { appended: 0, errors } })
    expect(textOf(directory)).toBe('')
    // The key is still free.
    await ingest.post(bodyOf(event('good')), 'json', 'key')
    expect(models()).toEqual(['good'])
  })

  test('that is no JSON, no events or too many is refused', async () => {
    const ingest = start()
    const post = (text: string) => ingest.post(Buffer.from(text), 'json', null)
    await expect(post('{"model"')).rejects.toThrow('the body is not JSON')
    await expect(post('{"events": [{"model": "m"}]}')).rejects.toThrow(
      "an object with an array in 'events', expected the array itself",
    )
    await expect(post('7')).rejects.toThrow('the body is 7, expected an event or an array of events')
    await expect(ingest.post(Buffer.from([0x22, 0xff, 0x22]), 'json', null)).rejects.toThrow(
      'not valid UTF-8',
    )
    const many = Array.from({ length: MAX_EVENTS + 1 }, () => event('m'))
    await expect(ingest.post(bodyOf(...many), 'json', null)).rejects.toMatchObject({ status: 413 })
    const lines = Buffer.from(many.map((each) => JSON.stringify(each)).join('\n'))
    await expect(ingest.post(lines, 'ndjson', null)).rejects.toMatchObject({ status: 413 })
    expect(await post('[]')).toMatchObject({ appended: 0, correlation_ids: [] })
    expect(textOf(directory)).toBe('')
  })
})

describe('an idempotency-key', () => {
  const body = bodyOf(event('a'), event('b', { correlation_id: 'mine' }), event('c'))

  test('writes its body once, and answers a repetition with the same correlation_ids', async () => {
    const ingest = start()
    const first = await ingest.post(body, 'json', 'key')
    const both = await Promise.all([ingest.post(body, 'json', 'key'), ingest.post(body, 'json', 'key')])
    for (const again of both) expect(again).toEqual({ ...first, appended: 0, repeated: 3 })
    expect(models()).toEqual(['a', 'b', 'c'])
    await ingest.post(body, 'json', 'other')
    expect(models()).toHaveLength(6)
  })

  test('that belongs to another body is refused', async () => {
    const ingest = start()
    await ingest.post(body, 'json', 'key')
    await expect(ingest.post(bodyOf(event('a')), 'json', 'key')).rejects.toMatchObject({ status: 422 })
    expect(models()).toHaveLength(3)
  })

  test('is known after a restart, also one with characters that JSON escapes', async () => {
    const keys = ['key', '"quoted\\"']
    const answers = await Promise.all(keys.map((key) => start().post(body, 'json', key)))
    for (const [index, key] of keys.entries()) {
      const again = await start().post(body, 'json', key)
      expect(again).toEqual({ ...answers[index], appended: 0, repeated: 3 })
    }
    await expect(start().post(bodyOf(event('a')), 'json', 'key')).rejects.toMatchObject({ status: 422 })
    renameSync(join(directory, SEGMENT), join(directory, '2026-01-01.ndjson'))
    expect((await start().post(body, 'json', 'key')).repeated).toBe(3)
  })

  test('completes a body that a crash has cut at any byte, and doubles no event', async () => {
    const { correlation_ids } = await start().post(body, 'json', 'key')
    const whole = readFileSync(join(directory, SEGMENT))
    const secondLine = whole.indexOf('\n') + 1
    const cuts = [0, ...Array.from({ length: whole.length - secondLine }, (_, i) => secondLine + i)]
    for (const cut of cuts.filter((_, i) => i % 40 === 0 || i > cuts.length - 3)) {
      writeFileSync(join(directory, SEGMENT), whole.subarray(0, cut))
      const again = await start().post(body, 'json', 'key')
      expect(again.appended + again.repeated, `cut at ${cut}`).toBe(3)
      expect(models().sort(), `cut at ${cut}`).toEqual(['a', 'b', 'c'])
      // With the first line, the ids that were made are known.
      if (cut > 0) expect(again.correlation_ids).toEqual(correlation_ids)
      expect((await start().post(body, 'json', 'key')).repeated).toBe(3)
    }
  })

  test('completes a body of which a line in the middle was lost', async () => {
    await start().post(body, 'json', 'key')
    const [a = '', , c = ''] = textOf(directory).split('\n')
    writeFileSync(join(directory, SEGMENT), `${a}\n${'\0'.repeat(40)}\n${c}\n`)
    expect(await start().post(body, 'json', 'key')).toMatchObject({ appended: 1, repeated: 2 })
    expect(models().sort()).toEqual(['a', 'b', 'c'])
  })

  test('is looked for in the last 64 MiB of the journal', async () => {
    await start().post(body, 'json', 'old')
    appendFileSync(join(directory, SEGMENT), `${' '.repeat(1023)}\n`.repeat(64 * 1024))
    await start().post(body, 'json', 'new')
    expect((await start().post(body, 'json', 'new')).repeated).toBe(3)
    expect((await start().post(body, 'json', 'old')).appended).toBe(3)
  })

  test('of lines that another program wrote under the same name is ignored', async () => {
    await start().post(bodyOf(), 'json', null)
    const foreign = ['{"key":7}', '{"key":"key","index":0.5}', '{"key":"key","body":"x"}']
    const lines = foreign.map((mark) => `{"model":"m","latency_ms":1,"success":true,"ingest":${mark}}\n`)
    appendFileSync(join(directory, SEGMENT), lines.join(''))
    expect((await start().post(body, 'json', 'key')).appended).toBe(3)
  })
})

describe('a disk', () => {
  const body = bodyOf(event('a'), event('b'), event('c'))

  test('that refuses fails the POST, says how many events are written, and takes the rest later', async () => {
    const faulty = new FaultyFileSystem()
    const ingest = start(faulty)
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, skip: 1 })
    const refused = ingest.post(body, 'json', 'key')
    await expect(refused).rejects.toMatchObject({ status: 503, details: { appended: 1 } })
    expect(await ingest.post(body, 'json', 'key')).toMatchObject({ appended: 2, repeated: 1 })
    expect(models()).toEqual(['a', 'b', 'c'])
  })

  test('is synced before the answer', async () => {
    const faulty = new FaultyFileSystem()
    const ingest = start(faulty)
    let release = () => {}
    const until = new Promise<void>((resolve) => {
      release = resolve
    })
    let isAnswered = false
    faulty.add({ call: 'fdatasync', effect: { until } })
    const answer = ingest.post(body, 'json', null).then(() => {
      isAnswered = true
    })
    while (!faulty.calls.some(({ name }) => name === 'fdatasync')) await new Promise(setImmediate)
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(isAnswered).toBe(false)
    release()
    await answer
  })

  test('whose sync fails leaves in doubt whether the events are there: they are never written twice', async () => {
    const faulty = new FaultyFileSystem()
    const ingest = start(faulty)
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    for (let attempt = 0; attempt < 2; attempt++) {
      const failed = ingest.post(body, 'json', 'key')
      await expect(failed).rejects.toMatchObject({ status: 500, details: { appended: 3 } })
    }
    expect(models()).toEqual(['a', 'b', 'c'])
    await ingest.post(bodyOf(event('d')), 'json', 'next')
    expect(segmentsOf(directory).filter((name) => name.endsWith('.ndjson'))).toHaveLength(2)
  })
})
