import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type JournalEvent, PRICE_PARTS } from '../../src/events/event-types.js'
import { FIELDS, type Field } from '../../src/events/fields.js'
import { type DecodedLine, decodeLine, encodeLine, type RejectionReason } from '../../src/events/line.js'
import { openJournal } from '../../src/journal/append/journal.js'
import { runHere } from '../support/command.js'

const README = readFileSync(new URL('../../journal/README.md', import.meta.url), 'utf8')

/** The vectors give every field, so nothing may be filled. */
const NO_DEFAULTS = {
  correlationId: () => 'filled by the reader',
  timestamp: () => 'filled by the reader',
}

const FOREIGN_EVENTS = [
  { model: 'gpt-4o', latency_ms: 842, success: true, crc32: 'stale' },
  { correlation_id: 'a', model: 'modèle-夜 🙂', latency_ms: 1, success: false, error_message: '\ud800' },
  {
    model: 'm',
    latency_ms: 1,
    success: true,
    tools: { a: [{ type: 'function', b: 1, crc32: '12345678' }] },
  },
  { type: 'stream_completed', correlation_id: 'a', timestamp: '2026-11-22T19:43:07.456Z', output_tokens: 3 },
  { model: 'x'.repeat(200_000), latency_ms: 1, success: true },
]

function codeBlock(language: string): string {
  const match = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(README)
  if (match?.[1] === undefined) throw new Error(`journal/README.md has no \`\`\`${language} block`)
  return match[1]
}

function section(heading: string): string {
  const text = README.split(/^#{2,3} /m).find((part) => part.startsWith(`${heading}\n`))
  if (text === undefined) throw new Error(`journal/README.md has no section ${heading}`)
  return text
}

/** The names in the first column of a section's table. */
function firstColumn(heading: string): string[] {
  return [...section(heading).matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1] ?? '')
}

function decoded(line: Buffer): Extract<DecodedLine, { event: JournalEvent }> {
  const result = decodeLine(line, NO_DEFAULTS)
  if ('reason' in result) throw new Error(`${result.reason}: ${result.detail}`)
  return result
}

function isThere(...command: [string, ...string[]]): boolean {
  return spawnSync(command[0], command.slice(1)).status === 0
}

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'specification-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

/** The lines of the journal's only segment. */
function linesOfJournal(journal: string): Buffer[] {
  const segments = readdirSync(journal).filter((name) => name.endsWith('.ndjson'))
  expect(segments).toHaveLength(1)
  const text = readFileSync(join(journal, segments[0] ?? ''), 'utf8')
  expect(text.endsWith('\n')).toBe(true)
  const lines = text.slice(0, -1).split('\n')
  return lines.map((line) => Buffer.from(line))
}

async function newJournal(): Promise<string> {
  const path = join(directory, 'journal')
  const journal = openJournal({ directory: path })
  journal.append({ correlation_id: 'first', model: 'gpt-4o', latency_ms: 1, success: true })
  await journal.close()
  return path
}

describe('the test vectors of journal/README.md', () => {
  const lines = codeBlock('ndjson').trimEnd().split('\n')

  test('are three, one of them not ASCII, one a stream_completed', () => {
    const types = lines.map((line) => decoded(Buffer.from(line)).event.type)
    expect(types).toEqual(['request_logged', 'request_logged', 'stream_completed'])
    expect(lines.some((line) => Buffer.byteLength(line) > line.length)).toBe(true)
  })

  test.each(lines)('%s', (text) => {
    const line = Buffer.from(text)
    const computed = crc32(line.subarray(0, -20)).toString(16).padStart(8, '0')
    expect(line.subarray(-20).toString()).toBe(`,"crc32":"${computed}"}`)

    const { event, isChecked } = decoded(line)
    expect(isChecked).toBe(true)
    expect(encodeLine(event, null).toString()).toBe(`${text}\n`)
  })
})

describe('the tables of journal/README.md', () => {
  test.each([
    ['request_logged', []],
    ['stream_completed', ['type']],
    ['price_set', ['type']],
    ['exchange_rate_observed', ['type']],
  ] as const)('name every field of %s, and which are required', (type, alsoRequired) => {
    const fields: [string, Field][] = Object.entries(FIELDS[type])
    const names = fields.map(([name]) => name)
    expect(firstColumn(type).toSorted()).toEqual(['type', ...names, 'crc32'].toSorted())
    const isRequired = new Set(
      fields.flatMap(([name, { presence }]) => (presence === 'required' ? [name] : [])),
    )
    const required = [...section(type).matchAll(/^\| `(\w+)` \|[^|]*\| \*\*yes\*\* \|/gm)]
    expect(required.map((match) => match[1]).toSorted()).toEqual([...alsoRequired, ...isRequired].toSorted())
  })

  test('the members of per_million are named', () => {
    const [, sentence = ''] =
      /^The members of `per_million` (.*?)\. A part/ms.exec(section('price_set')) ?? []
    expect([...sentence.matchAll(/`(\w+)`/g)].map((match) => match[1])).toEqual([...PRICE_PARTS])
  })

  test('name every reason of a rejection', () => {
    const reasons: Record<RejectionReason, true> = {
      not_utf8: true,
      not_json: true,
      not_an_object: true,
      checksum_mismatch: true,
      damaged_checksum: true,
      unknown_type: true,
      invalid_event: true,
      too_long: true,
    }
    expect(firstColumn('Reading').toSorted()).toEqual(Object.keys(reasons).toSorted())
  })

  test('the line that is said to be rejected is', () => {
    const line = /^\{.*"model":"gpt-4o-x"\}$/m.exec(README)?.[0] ?? ''
    expect(decodeLine(Buffer.from(line), NO_DEFAULTS)).toMatchObject({ reason: 'damaged_checksum' })
  })
})

/** A journal without segments that a group shares. */
async function sharedJournal(): Promise<string> {
  const journal = join(directory, 'shared')
  expect(await runHere(['init', '--journal', journal, '--mode', '660'])).toMatchObject({ status: 0 })
  return journal
}

const modesIn = (journal: string) =>
  readdirSync(journal)
    .filter((name) => name.endsWith('.ndjson'))
    .map((name) => statSync(join(journal, name)).mode & 0o777)

// Without python3 or jq these are reported as skipped, by these names.
describe.skipIf(!isThere('python3', '--version'))('the Python appender (needs python3)', () => {
  function run(journal: string, events: readonly object[]): void {
    const script = join(directory, 'append.py')
    writeFileSync(script, codeBlock('python'))
    const input = events.map((event) => `${JSON.stringify(event)}\n`).join('')
    const { status, stderr } = spawnSync('python3', [script, journal], { input, encoding: 'utf8' })
    expect(stderr).toBe('')
    expect(status).toBe(0)
  }

  test('writes lines that are decoded and checked', async () => {
    const journal = await newJournal()
    run(journal, FOREIGN_EVENTS)
    const results = linesOfJournal(journal).map(decoded)
    expect(results.every(({ isChecked }) => isChecked)).toBe(true)
    const events = results.map(({ event }) => event)
    expect(events.map(({ type }) => type)).toEqual([
      'request_logged',
      'request_logged',
      'request_logged',
      'request_logged',
      'stream_completed',
      'request_logged',
    ])
    expect(events[2]).toMatchObject({ model: 'modèle-夜 🙂', error_message: '\ufffd' })
    expect(events[4]).toMatchObject({ correlation_id: 'a', output_tokens: 3 })
  })

  test('writes the test vectors byte for byte', async () => {
    const vectors = codeBlock('ndjson').trimEnd()
    const journal = await newJournal()
    run(
      journal,
      vectors.split('\n').map((line) => JSON.parse(line)),
    )
    expect(linesOfJournal(journal).slice(1).join('\n')).toBe(vectors)
  })

  test('appends to a folder that `request-journal init` has made, however often it is run', async () => {
    const journal = join(directory, 'new/journal')
    const made = await runHere(['init', '--journal', journal, '--json'])
    expect(made).toMatchObject({ status: 0, json: { journal, journal_id: expect.any(String) } })
    expect(readdirSync(journal)).toEqual(['journal.json'])
    run(journal, FOREIGN_EVENTS.slice(0, 1))
    expect((await runHere(['init', '--journal', journal, '--json'])).json).toEqual(made.json)
    expect(linesOfJournal(journal)).toHaveLength(1)
    const { stderr } = await runHere(['init', '--journal', journal, '--mode', '660'])
    expect(stderr).toContain('exists already, and keeps its mode 600')
    expect(await runHere(['init', '--journal', journal, '--mode', '440'])).toMatchObject({ status: 2 })
  })

  test('gives a new segment the mode of journal.json, which a group may share', async () => {
    const journal = await sharedJournal()
    run(journal, FOREIGN_EVENTS.slice(0, 1))
    expect(modesIn(journal)).toEqual([0o660])
  })

  test('writes nothing inside a line that looks like the start or the end of one', async () => {
    const journal = await newJournal()
    run(journal, FOREIGN_EVENTS)
    for (const line of linesOfJournal(journal)) {
      expect(line.lastIndexOf('{"type":')).toBe(0)
      expect(line.indexOf(',"crc32":"')).toBe(line.length - 20)
    }
  })

  test('ends a fragment first', async () => {
    const journal = await newJournal()
    const segment = readdirSync(journal).find((name) => name.endsWith('.ndjson')) ?? ''
    writeFileSync(join(journal, segment), '{"type":"request_log', { flag: 'a' })
    run(journal, FOREIGN_EVENTS.slice(0, 1))
    const [first, fragment, last, ...others] = linesOfJournal(journal)
    expect(others).toEqual([])
    expect(fragment?.toString()).toBe('{"type":"request_log')
    expect(decoded(first ?? Buffer.alloc(0)).isChecked).toBe(true)
    expect(decoded(last ?? Buffer.alloc(0)).isChecked).toBe(true)
  })

  test.each([
    ['a distrusted segment', ['9998-01-02.ndjson', '9998-01-02.ndjson.distrusted'], '9998-01-02_001.ndjson'],
    ['an archived one', ['9998-01-02_001.ndjson.gz'], '9998-01-02_002.ndjson'],
    ['the plain one of two', ['9998-01-02.ndjson', '9998-01-02.ndjson.gz'], '9998-01-02.ndjson'],
    ['names that are none', ['9998-13-02.ndjson', '9998-01-02_000.ndjson', '9998-01-02.ndjson.tmp'], null],
  ])('chooses the segment that openJournal chooses: %s', async (_name, files, expected) => {
    const journal = await newJournal()
    for (const file of files) writeFileSync(join(journal, file), '')
    run(journal, FOREIGN_EVENTS.slice(0, 1))
    const ours = openJournal({ directory: journal })
    ours.append({ model: 'ours', latency_ms: 1, success: true })
    await ours.close()
    const lengths = readdirSync(journal)
      .filter((name) => name.endsWith('.ndjson'))
      .map((name) => [name, readFileSync(join(journal, name), 'utf8').split('\n').length - 1])
    const both = expected === null ? 3 : 2
    expect(lengths.filter(([, lines]) => lines === both)).toHaveLength(1)
    if (expected !== null) expect(lengths).toContainEqual([expected, 2])
  })
})

describe.skipIf(!isThere('jq', '--version') || !isThere('dd', '--version'))(
  'the shell appender (needs jq and GNU dd)',
  () => {
    function run(journal: string): void {
      const script = join(directory, 'append.sh')
      writeFileSync(script, codeBlock('sh'))
      expect(spawnSync('sh', [script, journal], { encoding: 'utf8' })).toMatchObject({
        status: 0,
        stderr: '',
      })
    }

    test('gives a new segment the mode of journal.json, which a group may share', async () => {
      const journal = await sharedJournal()
      run(journal)
      expect(modesIn(journal)).toEqual([0o660])
    })

    test('writes a line that is decoded', async () => {
      const journal = await newJournal()
      run(journal)
      const [, line] = linesOfJournal(journal)
      const { event, isChecked } = decoded(line ?? Buffer.alloc(0))
      expect(isChecked).toBe(false)
      const timestamp = expect.stringMatching(/^20\d\d-.*\.000Z$/)
      expect(event).toMatchObject({ type: 'request_logged', model: 'gpt-4o', success: true, timestamp })
    })
  },
)
