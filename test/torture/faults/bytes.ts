import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openJournalWith } from '../../../src/journal/append/journal.js'
import * as maintenance from '../../../src/maintenance/index.js'
import { projectOnce } from '../../../src/projection/index.js'
import { findDifferences } from '../../support/checker.js'
import { writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { type Fault, type Place, survived, type Verdict, wrong } from '../fault.js'
import { query, type Row } from '../judge.js'
import type { Random } from '../random.js'
import { withoutSyncs } from '../without-syncs.js'

/** So that thousands of damages cost one projector: each gets a segment of its own, of a day of its own. */
const SEGMENTS_A_JOURNAL = 400

const FIRST_DAY = Date.parse('2000-01-01T00:00:00Z')
const DAY_MS = 86_400_000

const silent = { warn() {}, error() {} }

function dayAt(index: number): string {
  return new Date(FIRST_DAY + index * DAY_MS).toISOString().slice(0, 10)
}

function segmentId(index: number): number {
  return Number(dayAt(index).replaceAll('-', '')) * 1000
}

/** Lines of all kinds that a writer writes; `prefix` keeps their ids apart. */
function ownLines(random: Random, count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => {
    const id = `${prefix}-${i}`
    const tokens = { input_tokens: random.between(1, 9999), output_tokens: random.between(0, 9999) }
    if (i % 5 === 4) return completionLine(`${prefix}-${i - 1}`, { ...tokens, success: true })
    const labels = random.chance(0.3) ? { labels: { user: random.text(5) } } : {}
    return requestLine(id, { ...tokens, policy: random.pick(['chat', 'code', null]), ...labels })
  })
}

export const cut: Fault = {
  name: 'cut',
  title: 'the journal cut at every byte of a 30-line segment, reopened, appended to, projected',
  run: async (round) => {
    const text = ownLines(round.random, 30, 'line').join('\n')
    const bytes = Buffer.from(`${text}\n`)
    const step = round.stride(199, 5)
    const phase = round.random.between(0, step - 1)
    const ends = Array.from({ length: bytes.length + 1 }, (_, end) => end).filter(
      (end) => end % step === phase,
    )
    for (let from = 0; from < ends.length; from += SEGMENTS_A_JOURNAL) {
      const some = ends.slice(from, from + SEGMENTS_A_JOURNAL)
      const projectsFirst = round.random.chance(0.5)
      await round.trial(`cut at bytes ${some[0]} to ${some.at(-1)}`, (place) =>
        cutAt(place, { bytes, ends: some, projectsFirst }),
      )
    }
  },
}

async function cutAt(
  place: Place,
  { bytes, ends, projectsFirst }: { bytes: Buffer; ends: number[]; projectsFirst: boolean },
): Promise<Verdict[]> {
  writeSegment(place.journal, '', `${dayAt(0)}.ndjson`)
  for (const [i, end] of ends.entries()) {
    writeFileSync(join(place.journal, `${dayAt(i)}.ndjson`), bytes.subarray(0, end))
    if (projectsFirst && i % 50 === 0) await projectOnce(place)
    const clock = { now: () => FIRST_DAY + i * DAY_MS + 3_600_000 }
    const journal = openJournalWith(
      { directory: place.journal, logger: silent, fsync: 'no' },
      { fs: withoutSyncs, clock },
    )
    journal.append({ correlation_id: `new-${end}`, model: 'm', latency_ms: 1, success: true })
    await journal.close()
  }
  await projectOnce(place)
  const differences = findDifferences(place.journal, place.database)
  if (differences.length > 0) return [wrong(...differences)]
  const rows = rowsBySegment(
    place.database,
    'SELECT segment_id, correlation_id AS name FROM requests ORDER BY id',
  )
  const rejected = rowsBySegment(place.database, 'SELECT segment_id, reason FROM rejected_lines')
  return ends.map((end, i) => cutVerdict({ bytes, end, rows: rows(i), rejected: rejected(i).length }))
}

function cutVerdict(cut: { bytes: Buffer; end: number; rows: Row[]; rejected: number }): Verdict {
  const { bytes, end, rows, rejected } = cut
  const verdict = survived()
  const left = bytes.toString('utf8', 0, end).split('\n')
  const lines = bytes.toString('utf8').split('\n')
  const last = left.at(-1) ?? ''
  // Only its newline is missing: it is whole, and the writer ends it.
  const whole = left.slice(0, -1).concat(last === lines[left.length - 1] && last !== '' ? [last] : [])
  const expected = whole
    .map((line) => JSON.parse(line) as Row)
    .filter((event) => event['type'] === 'request_logged')
    .map((event) => String(event['correlation_id']))
    .concat(`new-${end}`)
  const found = rows.map((row) => String(row['name']))
  verdict.lost.push(...expected.filter((id) => !found.includes(id)))
  verdict.doubled.push(...found.filter((id, i) => found.indexOf(id) !== i))
  if (found.join() !== expected.join())
    verdict.wrong.push(`cut at ${end}: found ${found.join()}, expected ${expected.join()}`)
  const fragments = whole.length === left.length || last === '' ? 0 : 1
  if (rejected !== fragments) verdict.wrong.push(`cut at ${end}: ${rejected} rejected, expected ${fragments}`)
  return verdict
}

export const flip: Fault = {
  name: 'flip',
  title: 'every bit of a 20-line segment flipped, one at a time, before it is projected',
  run: async (round) => {
    const bytes = Buffer.from(`${ownLines(round.random, 20, 'line').join('\n')}\n`)
    const flips = Array.from({ length: bytes.length * 8 }, (_, bit) => bit)
    const step = round.stride(599, 7)
    const phase = round.random.between(0, step - 1)
    const chosen = flips.filter((bit) => bit % step === phase)
    for (let from = 0; from < chosen.length; from += SEGMENTS_A_JOURNAL) {
      const some = chosen.slice(from, from + SEGMENTS_A_JOURNAL)
      await round.trial(`bits ${some[0]} to ${some.at(-1)}`, (place) => flipBits(place, bytes, some))
    }
  },
}

async function flipBits(place: Place, bytes: Buffer, bits: number[]): Promise<Verdict[]> {
  writeSegment(place.journal, '', `${dayAt(0)}.ndjson`)
  // The last segment is whole: what every row has to be.
  for (const [i, bit] of [...bits, null].entries()) {
    const damaged = Buffer.from(bytes)
    if (bit !== null) flipBit(damaged, bit)
    // As a writer that opens the segment does.
    const ending = damaged.at(-1) === 0x0a ? '' : '\n'
    // Ids are the same in each segment, and completions go to the newest row: that of their own segment.
    writeFileSync(join(place.journal, `${dayAt(i)}.ndjson`), Buffer.concat([damaged, Buffer.from(ending)]))
  }
  await projectOnce(place)
  const columns = `correlation_id, timestamp, model, provider, policy, streaming, cost_sats, provider_cost_sats,
    latency_ms, error_status, error_message, labels, input_tokens, output_tokens, success, completed_byte_offset`
  const rows = rowsBySegment(place.database, `SELECT segment_id, ${columns} FROM requests ORDER BY id`)
  const rejected = rowsBySegment(place.database, 'SELECT segment_id FROM rejected_lines')
  const segments = rowsBySegment(place.database, 'SELECT *, id AS segment_id FROM journal_segments')
  const whole = rows(bits.length)
  return bits.map((bit, i) => {
    const verdict = survived()
    const unchecked = segments(i)[0]?.['unchecked_lines']
    if (unchecked !== 0) verdict.wrong.push(`bit ${bit}: ${unchecked} lines without a check`)
    if (rejected(i).length === 0) verdict.wrong.push(`bit ${bit}: nothing rejected`)
    const changed = changedRow(whole, rows(i))
    if (changed !== null) verdict.wrong.push(`bit ${bit}: a row that was never written: ${changed}`)
    const lostLines = 16 - rows(i).length
    if (lostLines > 1) verdict.lost.push(`bit ${bit}: ${lostLines} rows gone`)
    return verdict
  })
}

/** A row that is neither what was written, nor that without its completion; null when there is none. */
function changedRow(whole: Row[], rows: Row[]): string | null {
  const known = new Set(whole.flatMap((row) => [values(row), values(row, true)]))
  for (const row of rows) {
    const isCompleted = row['completed_byte_offset'] !== null
    if (!known.has(values(row, !isCompleted))) return values(row)
  }
  return null
}

function values(row: Row, withoutOutcome = false): string {
  const { segment_id: _, completed_byte_offset: __, input_tokens, output_tokens, ...rest } = row
  return JSON.stringify(withoutOutcome ? rest : { ...rest, input_tokens, output_tokens })
}

function flipBit(bytes: Buffer, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
}

type Verify = (paths: { journal: string; database: string }) => Promise<{ ok: boolean }>

function verifyIfThere(): Verify | null {
  return (maintenance as unknown as { verify?: Verify }).verify ?? null
}

export const flipProjected: Fault = {
  name: 'flip-projected',
  title: 'a bit of a segment flipped after it was projected, then `verify`',
  whyNot: () => (verifyIfThere() === null ? 'there is no verify yet' : null),
  run: async (round) => {
    const verify = verifyIfThere()
    const bytes = Buffer.from(`${ownLines(round.random, 20, 'line').join('\n')}\n`)
    const step = round.isShort ? 4999 : 37
    await round.trial('flip and verify', async (place) => {
      const name = `${dayAt(0)}.ndjson`
      writeSegment(place.journal, bytes, name)
      await projectOnce(place)
      if (!(await verify?.(place))?.ok) return wrong('verify finds fault with a sound journal')
      const before = JSON.stringify(query(place.database, 'SELECT * FROM requests'))
      const verdicts: Verdict[] = []
      for (let bit = round.random.between(0, step - 1); bit < bytes.length * 8; bit += step) {
        const damaged = Buffer.from(bytes)
        flipBit(damaged, bit)
        writeFileSync(join(place.journal, name), damaged)
        const report = await verify?.(place)
        verdicts.push(report?.ok === false ? survived() : wrong(`bit ${bit} is not found by verify`))
      }
      const isSame = JSON.stringify(query(place.database, 'SELECT * FROM requests')) === before
      return [...verdicts, ...(isSame ? [] : [wrong('verify changed the database')])]
    })
  },
}

function rowsBySegment(database: string, sql: string): (index: number) => Row[] {
  const bySegment = new Map<number, Row[]>()
  for (const row of query(database, sql)) {
    const id = Number(row['segment_id'])
    const rows = bySegment.get(id)
    if (rows === undefined) bySegment.set(id, [row])
    else rows.push(row)
  }
  return (index) => bySegment.get(segmentId(index)) ?? []
}
