import { readFileSync } from 'node:fs'
import { openJournalWith } from '../../../src/journal/append/journal.js'
import { writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { type Fault, type Place, survived, type Verdict } from '../fault.js'
import { countRows, judge, query, until } from '../judge.js'
import { type Program, startDaemon } from '../program.js'
import type { Random } from '../random.js'
import { withoutSyncs } from '../without-syncs.js'
import { gone } from './processes.js'

const MIB = 1024 * 1024
const DAY_MS = 86_400_000

export const clock: Fault = {
  name: 'clock',
  title: 'the clock steps back over midnight, jumps a year and back',
  run: async (round) => {
    for (let i = 0; i < (round.isShort ? 1 : 30); i++) {
      await round.trial(`walk ${i}`, (place) => walk(place, round.random))
    }
  },
}

async function walk(place: Place, random: Random): Promise<Verdict> {
  const start = Date.parse('2026-11-22T23:59:58Z')
  const writers = ['a', 'b'].map((name) => {
    const time = { now: start }
    const options = { directory: place.journal, logger: { warn() {}, error() {} }, fsync: 'no' as const }
    const open = () => openJournalWith(options, { fs: withoutSyncs, clock: { now: () => time.now } })
    return { name, time, open, journal: open(), ids: [] as string[] }
  })
  for (let i = 0; i < 200; i++) {
    const writer = random.pick(writers)
    if (random.chance(0.3)) {
      writer.time.now += random.pick([
        500,
        1000,
        5000,
        -5000,
        -1,
        DAY_MS,
        -DAY_MS,
        365 * DAY_MS,
        -365 * DAY_MS,
      ])
    }
    const correlation_id = `${writer.name}-${writer.ids.length}`
    writer.ids.push(correlation_id)
    writer.journal.append({ correlation_id, model: 'm', latency_ms: 1, success: true })
    if (random.chance(0.05)) await writer.journal.flush()
    if (random.chance(0.05)) {
      // A process that starts anew, whatever its clock says by now.
      await writer.journal.close()
      writer.journal = writer.open()
    }
    if (random.chance(0.03)) await judge(place, [])
  }
  for (const { journal } of writers) await journal.close()
  const verdict = await judge(
    place,
    writers.flatMap(({ ids }) => ids),
    { withReplay: true },
  )
  const rows = query(
    place.database,
    'SELECT correlation_id AS name FROM requests ORDER BY segment_id, byte_offset',
  )
  const names = rows.map((row) => String(row['name']))
  const unordered = writers.filter(
    ({ name, ids }) => names.filter((id) => id.startsWith(`${name}-`)).join() !== ids.join(),
  )
  verdict.wrong.push(...unordered.map(({ name }) => `${name}: not in the order of its appends`))
  return verdict
}

/** Lines that nobody should write. */
function hostileLine(random: Random): Buffer {
  const valid = '"model":"m","latency_ms":1,"success":true'
  const nesting = random.pick([10, 1000, 50_000])
  const text = random.pick<() => string | Buffer>([
    () => 'x'.repeat(random.pick([MIB - 2, MIB - 1, MIB, MIB + 1, 3 * MIB])),
    () => `{"type":"request_logged","error_message":"${'y'.repeat(2 * MIB)}"}`,
    () => '{"type":'.repeat(random.between(1, 20_000)),
    () => ',"crc32":"00000000"}'.repeat(random.between(1, 20_000)),
    () => '\0'.repeat(random.between(1, 5000)),
    () => `{${valid},"provider":"a\0b"}`,
    () => `{${valid},"provider":"a\\u0000b"}`,
    () =>
      Buffer.concat([
        Buffer.from(`{${valid},"provider":"`),
        Buffer.from([0xff, 0xc0, 0x80]),
        Buffer.from('"}'),
      ]),
    () => Buffer.from([0xed, 0xa0, 0x80]),
    () => `${'['.repeat(nesting)}${']'.repeat(nesting)}`,
    () => `${'{"a":'.repeat(nesting)}1${'}'.repeat(nesting)}`,
    () => `{${valid},"extra":${'['.repeat(nesting)}${']'.repeat(nesting)}}`,
    () => `{${valid},"model":"other","model":"last"}`,
    () => `{"__proto__":{"model":"p"},"latency_ms":1,"success":true}`,
    () => `{${valid},"__proto__":{"polluted":true},"constructor":{"prototype":{"x":1}}}`,
    () => `{${valid},"labels":{"__proto__":"x"}}`,
    () => `{"model":"m","latency_ms":1e999,"success":true}`,
    () => `{"model":"m","latency_ms":-1,"success":true}`,
    () => `{${valid},"input_tokens":9007199254740993}`,
    () => `{${valid},"output_tokens":1.5,"cost_sats":1e308}`,
    () => `{${valid},"error_status":99999999999999999999}`,
    () => `{${valid},"timestamp":"99999-01-01T00:00:00Z"}`,
    () => `{${valid},"timestamp":"2026-02-30T00:00:00Z"}`,
    () => `\ufeff{${valid}}`,
    () => `{${valid}}\r`,
    () => random.pick(['', ' ', '\t', '\r', ' \r']),
    () => random.pick(['null', 'true', '1', '"x"', '[]', '{}']),
    () => `{"type":${random.pick(['null', '1', '"x"', '{}', '"toString"', '"__proto__"'])},${valid}}`,
    () => requestLine('cut').slice(0, random.between(1, 150)),
    () => Buffer.from(Array.from({ length: random.between(1, 500) }, () => random.between(0, 255))),
  ])()
  return Buffer.isBuffer(text) ? text : Buffer.from(text)
}

/** Measured at rest: about 90 MB. A daemon that kept lines or their pieces would go far beyond. */
const MAX_RESIDENT_MIB = 400

export const hostile: Fault = {
  name: 'hostile',
  title: 'hostile lines: 1 MiB and longer, NULs, invalid UTF-8, deep nesting, duplicate keys, …',
  run: async (round) => {
    await round.trial('hostile lines', async (place) => {
      writeSegment(place.journal, '')
      const daemon = await startDaemon(place)
      const ids: string[] = []
      for (let i = 0; i < (round.isShort ? 30 : 400); i++) {
        const good = `good-${i}`
        ids.push(good)
        const line = hostileLine(round.random)
        // A byte at random may be a newline: then these are several lines.
        writeSegment(place.journal, Buffer.concat([line, Buffer.from(`\n${requestLine(good)}\n`)]))
      }
      await until(() => hasGood(place, ids.length), gone(daemon))
      const resident = residentMib(daemon)
      await daemon.end()
      const verdict = await judge(place, ids, { withReplay: true })
      if (resident > MAX_RESIDENT_MIB) verdict.wrong.push(`${resident} MiB resident`)
      return [verdict, ...ids.slice(1).map(survived)]
    })
  },
}

function hasGood(place: Place, count: number): boolean {
  if (countRows(place.database) < count) return false
  const sql = "SELECT count(*) AS n FROM requests WHERE correlation_id LIKE 'good-%'"
  return Number(query(place.database, sql)[0]?.['n']) === count
}

/** The most it ever had; 0 where the system doesn't say. */
function residentMib({ process: { pid } }: Program): number {
  try {
    const kib = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Math.round(Number(kib ?? 0) / 1024)
  } catch {
    return 0
  }
}
