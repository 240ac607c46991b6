import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { Client } from 'pg'

type Ask = (sql: string, values?: unknown[]) => Promise<Record<string, unknown>[]>

/** Asks a PostgreSQL database something, by a connection of its own. */
export async function ask(address: string, sql: string, values: unknown[] = []) {
  return await withAsk(address, async (ask) => await ask(sql, values))
}

/** Lends a connection of its own, for all that is asked in turn: a new one costs more than most questions. */
export async function withAsk<T>(address: string, use: (ask: Ask) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: address })
  client.on('error', () => {})
  await client.connect()
  try {
    return await use(async (sql, values = []) => (await client.query(sql, values)).rows)
  } finally {
    await client.end()
  }
}

interface Line {
  segment: string
  offset: number
  event: Record<string, unknown>
}

/**
 * Compares what a PostgreSQL database has of a journal with the journal's files. It shares no code with the program: it
 * reads the files by the format's specification, and says every difference.
 *
 * @param withChunks whether the database holds the journal's bytes too.
 */
export async function findFleetDifferences(
  { address, schema, journal }: { address: string; schema: string; journal: string },
  withChunks = true,
): Promise<string[]> {
  return await withAsk(address, (ask) => compare(ask, `${schema}.`, journal, withChunks))
}

/**
 * Resolves when the database says that it has all of the journal's bytes, and its rows are those of its lines.
 */
export async function untilProjected(place: {
  address: string
  schema: string
  journal: string
}): Promise<void> {
  const { address, schema, journal } = place
  const { journal_id } = JSON.parse(readFileSync(join(journal, 'journal.json'), 'utf8'))
  await withAsk(address, async (ask) => {
    // Comparing reads every row: not before the position says that it's worth it.
    const position = `SELECT coalesce(sum(projected_bytes), 0)::int AS bytes FROM ${schema}.journal_segments
      WHERE journal = (SELECT number FROM ${schema}.journals WHERE journal_id = $1)`
    while (true) {
      const size = segmentsOf(journal).reduce((sum, name) => sum + statSync(join(journal, name)).size, 0)
      const [found] = await ask(position, [journal_id])
      if (found?.['bytes'] === size && (await compare(ask, `${schema}.`, journal, false)).length === 0) return
      await setTimeout(20)
    }
  })
}

async function compare(ask: Ask, of: string, journal: string, withChunks: boolean): Promise<string[]> {
  const { journal_id } = JSON.parse(readFileSync(join(journal, 'journal.json'), 'utf8'))
  const [found] = await ask(`SELECT number FROM ${of}journals WHERE journal_id = $1`, [journal_id])
  if (found === undefined) return [`the database doesn't know the journal ${journal_id}`]
  const number = [found['number']]
  const lines = readLines(journal)
  const differences: string[] = []
  const same = (what: string, actual: unknown, expected: unknown) => {
    const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)]
    if (left !== right)
      differences.push(`${what}: found ${left.slice(0, 300)}, expected ${right.slice(0, 300)}`)
  }

  const requests = lines.filter(({ event }) => event['type'] === 'request_logged')
  const rows = await ask(
    `SELECT r.correlation_id AS id, r.id - r.journal * 68719476736 AS ordinal, s.name AS segment, r.byte_offset::int AS offset,
       c.name AS completed, r.completed_byte_offset::int AS completed_offset
     FROM ${of}requests r JOIN ${of}journal_segments s ON s.journal = r.journal AND s.id = r.segment_id
     LEFT JOIN ${of}journal_segments c ON c.journal = r.journal AND c.id = r.completed_segment_id
     WHERE r.journal = $1 ORDER BY r.id`,
    number,
  )
  same('rows', rows.length, requests.length)
  const completions = new Map(
    lines
      .filter(({ event }) => event['type'] === 'stream_completed')
      .map(({ segment, offset, event }) => [event['correlation_id'], { segment, offset }]),
  )
  for (const [index, row] of rows.entries()) {
    const request = requests[index]
    if (differences.length > 5 || request === undefined) break
    const { event, segment, offset } = request
    const completion = completions.get(event['correlation_id'])
    const expected = [String(index + 1), event['correlation_id'], segment, offset]
    const actual = [row['ordinal'], row['id'], row['segment'], row['offset']]
    same(`row ${index}`, actual, expected)
    same(
      `completion of row ${index}`,
      [row['completed'], row['completed_offset']],
      [completion?.segment ?? null, completion?.offset ?? null],
    )
  }

  const [sums] = await ask(
    `SELECT (SELECT coalesce(sum(requests), 0)::int FROM ${of}rollups WHERE journal = $1 AND grain = 'hour') AS hours,
       (SELECT coalesce(sum(requests), 0)::int FROM ${of}rollup_totals WHERE journal = $1 AND grain = 'day' AND grouped_by = '')
         AS days,
       (SELECT coalesce(sum(requests), 0)::int FROM ${of}request_counters WHERE journal = $1) AS counters,
       (SELECT coalesce(sum(lines), 0)::int FROM ${of}journal_segments WHERE journal = $1) AS lines`,
    number,
  )
  const n = requests.length
  same('sums', sums, { hours: n, days: n, counters: n, lines: lines.length })

  if (withChunks) differences.push(...(await findChunkDifferences(ask, of, number, journal)))
  return differences
}

async function findChunkDifferences(ask: Ask, of: string, number: unknown[], journal: string) {
  const chunks = await ask(
    `SELECT s.name, c.byte_offset::int AS offset, c.length::int AS length, c.bytes
     FROM ${of}journal_chunks c JOIN ${of}journal_segments s ON s.journal = c.journal AND s.id = c.segment_id
     WHERE c.journal = $1 ORDER BY c.segment_id, c.byte_offset`,
    number,
  )
  const held = new Map<unknown, Buffer>()
  for (const { name, offset, length, bytes } of chunks) {
    const before = held.get(name) ?? Buffer.alloc(0)
    const plain = gunzipSync(bytes as Buffer)
    if (before.length !== offset || plain.length !== length)
      return [`${name}: a chunk at ${offset} doesn't join`]
    held.set(name, Buffer.concat([before, plain]))
  }
  return segmentsOf(journal)
    .filter((name) => {
      const bytes = readFileSync(join(journal, name))
      return (
        bytes.length > 0 &&
        !bytes.subarray(0, bytes.lastIndexOf(10) + 1).equals(held.get(name) ?? Buffer.alloc(0))
      )
    })
    .map((name) => `${name}: the chunks aren't its bytes`)
}

function segmentsOf(journal: string): string[] {
  return readdirSync(journal)
    .filter((name) => name.endsWith('.ndjson'))
    .sort()
}

function readLines(journal: string): Line[] {
  return segmentsOf(journal).flatMap((segment) => {
    let offset = 0
    return readFileSync(join(journal, segment), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((text) => {
        const line = { segment, offset, event: JSON.parse(text) }
        offset += Buffer.byteLength(text) + 1
        return line
      })
  })
}
