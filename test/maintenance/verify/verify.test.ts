import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import SQLite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { MANIFEST_FILE } from '../../../src/journal/chain/manifest.js'
import { type VerifyReport, verify } from '../../../src/maintenance/index.js'
import { openDatabase, projectOnce } from '../../../src/projection/index.js'
import { findDifferences } from '../../support/checker.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { checkedLine, completionLine, requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

const NEXT_DAY = '2026-11-23.ndjson'
const NONE_WRONG = {
  missing: 0,
  doubled: 0,
  altered: 0,
  surplus: 0,
  damaged: 0,
  problems: [],
  more_problems: 0,
}

const A = requestLine('a', { policy: 'chat', input_tokens: 10, output_tokens: 20 })
const B = requestLine('b', { streaming: true, policy: 'chat' })
const B_END = completionLine('b', { input_tokens: 4, output_tokens: 2, success: true, stream_duration_ms: 9 })
const C = requestLine('c', { labels: { team: 'x' }, cost_sats: 0.25, error_message: 'ü' })
const B_AT = A.length + 1
const B_END_AT = B_AT + B.length + 1
const C_AT = B_END_AT + B_END.length + 1

/** Projects, but leaves nothing sealed, whatever day it is: what a broken seal adds is tested elsewhere. */
async function project(workspace: Pick<Workspace, 'journal' | 'database'>): Promise<void> {
  await projectOnce(workspace)
  rmSync(join(workspace.journal, MANIFEST_FILE), { force: true })
}

let filled = ''

beforeAll(async () => {
  filled = mkdtempSync(join(tmpdir(), 'request-journal-filled-'))
  const journal = join(filled, 'journal')
  writeSegment(journal, lines(A, B, B_END, C, 'nonsense'))
  writeSegment(journal, lines(requestLine('d'), completionLine('later')), NEXT_DAY)
  await project({ journal, database: join(filled, 'requests.db') })
})

afterAll(() => rmSync(filled, { recursive: true, force: true }))

/** Two segments with everything that can be compared, projected once for all tests. */
function fill({ journal, database }: Workspace): void {
  cpSync(join(filled, 'journal'), journal, { recursive: true })
  copyFileSync(join(filled, 'requests.db'), database)
}

/** Somebody with sqlite3. */
function alter(workspace: Workspace, sql: string): void {
  workspace.expectDamage()
  const database = new SQLite(workspace.database)
  database.exec(sql)
  database.close()
}

/** Changes bytes in place, as a bad disk would. */
function overwrite(workspace: Workspace, from: string, to: string, name = DAY): void {
  workspace.expectDamage()
  const path = join(workspace.journal, name)
  const bytes = readFileSync(path)
  const at = bytes.indexOf(from)
  expect(at).toBeGreaterThan(-1)
  bytes.write(to, at)
  writeFileSync(path, bytes)
}

function kinds(report: VerifyReport): string[] {
  expect(report.ok).toBe(report.problems.length === 0)
  return report.problems.map(({ kind, segment, byte_offset }) => `${kind} ${segment}:${byte_offset}`)
}

test('nothing is wrong: what was read and compared', async ({ workspace }) => {
  fill(workspace)
  expect(await verify(workspace)).toStrictEqual({
    ...NONE_WRONG,
    ok: true,
    journal_id: 'test-journal',
    database: workspace.database,
    segments: 2,
    recompressed: 0,
    accepted_missing: 0,
    lines: 7,
    rows: 4,
    rejected: 1,
    unchecked: 0,
    unjournaled: 0,
    added: 0,
    pending: 0,
    held: 1,
    superseded: 0,
    late: 0,
    to_reprice: 0,
    chain: { entries: 0, head: '0'.repeat(64) },
    elapsed_ms: expect.any(Number),
  })
})

test('tells its progress', async ({ workspace }) => {
  fill(workspace)
  const progress: unknown[] = []
  await verify({ ...workspace, onProgress: (now) => progress.push(now) })
  const bytes = workspace.readSegment(DAY).length + workspace.readSegment(NEXT_DAY).length
  expect(progress).toHaveLength(3)
  expect(progress.at(-1)).toEqual({ bytes, total_bytes: bytes, events: 6 })
})

describe('no fault is', () => {
  test('lines after the positions, an unfinished one included', async ({ workspace }) => {
    fill(workspace)
    writeSegment(workspace.journal, `${lines(requestLine('late'))}{"type":`)
    writeSegment(workspace.journal, lines(requestLine('new'), 'bad'), '2026-11-24.ndjson')
    const report = await verify(workspace)
    expect(report).toMatchObject({ ...NONE_WRONG, ok: true, lines: 10, rows: 4, pending: 3, rejected: 2 })
  })

  test('late lines, and completions that met another row because of them', async ({ workspace }) => {
    fill(workspace)
    writeSegment(workspace.journal, lines(requestLine('b', { latency_ms: 7 }), completionLine('a')))
    writeSegment(workspace.journal, lines(completionLine('b', { success: false })), NEXT_DAY)
    await project(workspace)
    writeSegment(workspace.journal, lines(completionLine('b', { output_tokens: 1 }), completionLine('d')))
    await project(workspace)
    const report = await verify(workspace)
    expect(report).toMatchObject({ ...NONE_WRONG, ok: true, late: 4, superseded: 1, rows: 5 })
  })

  test('held and superseded completions, also without success', async ({ workspace }) => {
    writeSegment(
      workspace.journal,
      lines(
        completionLine('h', { success: false }),
        completionLine('h', { output_tokens: 1 }),
        completionLine('i'),
        completionLine('u', { success: false }),
        requestLine('u'),
        completionLine('u'),
        requestLine('h'),
        requestLine('i', { success: false }),
        requestLine('s', { success: false }),
        completionLine('s', { success: true }),
        completionLine('s', { output_tokens: 5 }),
        requestLine('s'),
        completionLine('s'),
        completionLine('never', { success: true }),
        requestLine('t', { success: false }),
        completionLine('t'),
      ),
    )
    await project(workspace)
    expect(await verify(workspace)).toMatchObject({
      ...NONE_WRONG,
      ok: true,
      held: 1,
      superseded: 3,
      rows: 6,
    })
  })

  test('events that were recovered from fused lines, with what was rejected around them', async ({
    workspace,
  }) => {
    const text = `${A.slice(0, 40)}${B}${C.slice(0, 30)}${C}\n${A}${B_END}\n`
    writeSegment(workspace.journal, text)
    writeSegment(workspace.journal, `{"x":"${'x'.repeat(1_200_000)}${requestLine('deep')}yz\n`)
    await project(workspace)
    expect(await verify(workspace)).toMatchObject({ ...NONE_WRONG, ok: true, lines: 3, rows: 4, rejected: 2 })
  })

  test('foreign lines without a checksum, blank lines, rows from before the journal', async ({
    workspace,
  }) => {
    const database = openDatabase(workspace.database)
    database.exec(
      `INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success)
       VALUES ('old', '2026-01-01T00:00:00.000Z', 'm', 1, 1)`,
    )
    database.close()
    const foreign = '{"model":"m","latency_ms":1.5,"success":true,"cost_sats":1e300,"error_status":-0}'
    writeSegment(workspace.journal, lines('', foreign, ' \t', completionLine('old', { output_tokens: 3 })))
    await project(workspace)
    expect(await verify(workspace)).toMatchObject({
      ...NONE_WRONG,
      ok: true,
      lines: 2,
      rows: 2,
      unchecked: 1,
      unjournaled: 1,
    })
  })

  test('a row from before the journal whose own outcome was kept by one completion, and not by the next', async ({
    workspace,
  }) => {
    const database = openDatabase(workspace.database)
    database.exec(
      `INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success)
       VALUES ('old', '2026-01-01T00:00:00.000Z', 'm', 1, 1)`,
    )
    database.close()
    writeSegment(workspace.journal, lines(completionLine('old'), completionLine('old', { success: false })))
    await project(workspace)
    expect(workspace.query('SELECT success FROM superseded_completions')).toEqual([{ success: 1 }])
    expect(await verify(workspace)).toMatchObject({ ...NONE_WRONG, ok: true, superseded: 1 })
  })

  test('a row that another program has added after the journal began, but it is counted', async ({
    workspace,
  }) => {
    fill(workspace)
    const database = openDatabase(workspace.database)
    database.exec(
      `INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success)
       VALUES ('x', '2026-11-22T10:00:00.000Z', 'm', 1, 1)`,
    )
    database.close()
    expect(await verify(workspace)).toMatchObject({ ...NONE_WRONG, ok: true, unjournaled: 1, added: 1 })
  })

  test('a projector at work', async ({ workspace }) => {
    fill(workspace)
    let isFirst = true
    const report = await verify({
      ...workspace,
      onProgress: () => {
        if (!isFirst) return
        isFirst = false
        writeSegment(workspace.journal, lines(requestLine('new')), NEXT_DAY)
        const database = new SQLite(workspace.database)
        database.exec('BEGIN IMMEDIATE; UPDATE requests SET model = model; COMMIT')
        database.close()
      },
    })
    expect(report).toMatchObject({ ok: true, pending: 1, rows: 4 })
  })
})

describe('a database that was changed by hand:', () => {
  const CASES: { name: string; sql: string; problems: string[]; counts: Partial<VerifyReport> }[] = [
    {
      name: 'a value of a request',
      sql: "UPDATE requests SET model = 'gpt-5' WHERE correlation_id = 'a'",
      problems: [`altered ${DAY}:0`],
      counts: { altered: 1, rows: 4 },
    },
    {
      name: 'a value of a completion',
      sql: "UPDATE requests SET output_tokens = 3 WHERE correlation_id = 'b'",
      problems: [`altered ${DAY}:${B_END_AT}`],
      counts: { altered: 1 },
    },
    {
      name: 'a completion taken back',
      sql: `UPDATE requests SET completed_segment_id = NULL, completed_byte_offset = NULL, input_tokens = NULL,
        output_tokens = NULL, stream_duration_ms = NULL WHERE correlation_id = 'b'`,
      problems: [`missing ${DAY}:${B_END_AT}`],
      counts: { missing: 1 },
    },
    {
      name: 'a made-up completion',
      sql: "UPDATE requests SET completed_segment_id = 20261122000, completed_byte_offset = 5 WHERE correlation_id = 'c'",
      problems: [`altered ${DAY}:5`],
      counts: { altered: 1 },
    },
    {
      name: 'a doubled row',
      sql: `CREATE TEMP TABLE copy AS SELECT * FROM requests WHERE correlation_id = 'b';
        UPDATE copy SET id = NULL; INSERT INTO requests SELECT * FROM copy`,
      problems: [`doubled ${DAY}:${B_AT}`],
      counts: { doubled: 1, rows: 5 },
    },
    {
      name: 'a removed row',
      sql: "DELETE FROM requests WHERE correlation_id = 'c'",
      problems: [`missing ${DAY}:${C_AT}`],
      counts: { missing: 1, rows: 3 },
    },
    {
      name: 'a row with a made-up place',
      sql: `INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success, segment_id, byte_offset)
        VALUES ('x', '', 'm', 1, 1, 20261122000, 17), ('y', '', 'm', 1, 1, 20991231000, 0), ('z', '', 'm', 1, 1, 7, 7)`,
      problems: ['surplus 2026-11-22.ndjson:17', 'surplus 2099-12-31.ndjson:0', 'surplus segment 7:7'],
      counts: { surplus: 3, rows: 7 },
    },
    {
      name: 'half a place, and one that is no number',
      sql: "UPDATE requests SET byte_offset = 'x' WHERE correlation_id = 'a'",
      problems: [`missing ${DAY}:0`, 'surplus null:null'],
      counts: { missing: 1, surplus: 1, rows: 4 },
    },
    {
      name: 'a row that says it is not from a journal',
      sql: "UPDATE requests SET segment_id = NULL WHERE correlation_id = 'a'",
      problems: [`missing ${DAY}:0`],
      counts: { missing: 1, unjournaled: 1, rows: 4 },
    },
    {
      name: 'held completions',
      sql: `UPDATE held_completions SET output_tokens = 5;
        INSERT INTO held_completions (segment_id, byte_offset, correlation_id) VALUES (20261122000, 3, 'x')`,
      problems: [`surplus ${DAY}:3`, `altered ${NEXT_DAY}:${requestLine('d').length + 1}`],
      counts: { surplus: 1, altered: 1 },
    },
    {
      name: 'a held completion that is gone',
      sql: 'DELETE FROM held_completions',
      problems: [`missing ${NEXT_DAY}:${requestLine('d').length + 1}`],
      counts: { missing: 1, held: 0 },
    },
    {
      name: 'a rejected line that is gone',
      sql: 'DELETE FROM rejected_lines',
      problems: [`missing ${DAY}:${C_AT + Buffer.byteLength(C) + 1}`],
      counts: { missing: 1, damaged: 0, rejected: 1 },
    },
    {
      name: 'a made-up rejected line',
      sql: "INSERT INTO rejected_lines VALUES (20261122000, 0, 5, 'not_json', 'made up', '')",
      problems: [`surplus ${DAY}:0`],
      counts: { surplus: 1 },
    },
    {
      name: 'counts of a segment',
      sql: 'UPDATE journal_segments SET lines = lines + 1, unchecked_lines = 9 WHERE id = 20261122000',
      problems: [`counts ${DAY}:0`],
      counts: {},
    },
    {
      name: 'token ratios',
      sql: 'UPDATE token_ratios SET avg_ratio = 9; UPDATE token_ratio_sums SET sample_count = 1',
      problems: ['ratio null:null'],
      counts: {},
    },
    {
      name: 'a roll-up',
      sql: "UPDATE rollups SET output_tokens = output_tokens + 1 WHERE grain = 'day'",
      problems: ['rollup null:null', 'rollup null:null'],
      counts: {},
    },
    {
      name: 'the latencies of a roll-up',
      sql: "UPDATE rollup_latencies SET buckets = x'000100000001' WHERE grain = 'hour' AND period LIKE '2026-11-22%'",
      problems: ['rollup null:null', 'rollup null:null'],
      counts: {},
    },
    {
      name: 'a roll-up of nothing',
      sql: `INSERT INTO rollups (grain, period, dimension_id, requests, failures, streams, failed_streams, unpriced,
          input_tokens, output_tokens, cost_sats, cost_nanosats, latency_ms)
        SELECT grain, '1999-01-01T00', dimension_id, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM rollups LIMIT 1`,
      problems: ['rollup null:null'],
      counts: {},
    },
    {
      name: 'roll-ups that are gone',
      sql: 'DELETE FROM rollup_dimensions; DELETE FROM rollup_latencies',
      problems: Array(6).fill('rollup null:null'),
      counts: {},
    },
    {
      name: 'a token ratio of nothing',
      sql: "INSERT INTO token_ratios VALUES ('x', 1, 1)",
      problems: ['ratio null:null'],
      counts: {},
    },
  ]

  test.for(CASES)('$name', async ({ sql, problems, counts }, { workspace }) => {
    fill(workspace)
    alter(workspace, sql)
    const report = await verify(workspace)
    expect(kinds(report)).toEqual(problems)
    expect(report).toMatchObject({ ok: false, ...counts })
  })

  test('both values of an altered column are named', async ({ workspace }) => {
    fill(workspace)
    alter(workspace, "UPDATE requests SET labels = '{}', cost_sats = 2 WHERE correlation_id = 'c'")
    expect((await verify(workspace)).problems).toEqual([
      {
        kind: 'altered',
        segment: DAY,
        byte_offset: C_AT,
        detail: 'row 3 is not what its line says',
        row_id: 3,
        columns: [
          { column: 'labels', journal: '{"team":"x"}', database: '{}' },
          { column: 'cost_sats', journal: 0.25, database: 2 },
        ],
      },
    ])
  })

  test('success that no completion says', async ({ workspace }) => {
    writeSegment(
      workspace.journal,
      lines(requestLine('a'), completionLine('a'), completionLine('b'), requestLine('b'), requestLine('c')),
    )
    await project(workspace)
    alter(workspace, "UPDATE requests SET success = 0 WHERE correlation_id IN ('a', 'b')")
    const report = await verify(workspace)
    expect(report).toMatchObject({ altered: 2 })
    const column = { column: 'success', journal: 1, database: 0 }
    expect(report.problems.map(({ columns }) => columns)).toEqual([[column], [column]])
  })

  /** What verify says of a copy of the database in which columns of some rows are others. */
  async function verifyAltered(
    workspace: Workspace,
    columns: readonly string[],
    where: string,
  ): Promise<VerifyReport> {
    const copy = join(workspace.directory, 'copy.db')
    rmSync(copy, { force: true })
    copyFileSync(workspace.database, copy)
    const others = columns.map((column) => `${column} = CASE WHEN ${column} = 1 THEN 0 ELSE 1 END`)
    const database = new SQLite(copy)
    database.exec(`UPDATE requests SET ${others.join()} WHERE ${where}`)
    database.close()
    return await verify({ ...workspace, database: copy })
  }

  const PLACES = ['segment_id', 'byte_offset', 'completed_segment_id', 'completed_byte_offset']

  test('every single column of every row', async ({ workspace }) => {
    fill(workspace)
    const all = Object.keys(workspace.query('SELECT * FROM requests')[0] ?? {})
    const ids = workspace.query('SELECT id FROM requests ORDER BY id').map(({ id }) => id)
    const columns = all.filter((name) => name !== 'id' && !PLACES.includes(name))
    // Each altered column of a row is named by itself: they can be altered together.
    const { problems } = await verifyAltered(workspace, columns, 'true')
    const found = problems.flatMap(({ row_id, columns = [] }) =>
      columns.map(({ column }) => `${column} of ${row_id}`),
    )
    expect(found.sort()).toEqual(columns.flatMap((name) => ids.map((id) => `${name} of ${id}`)).sort())
    // A row with another place is another row: these are changed one at a time.
    for (const column of PLACES) {
      for (const id of ids) {
        const { ok } = await verifyAltered(workspace, [column], `id = ${id}`)
        expect({ column, id, ok }).toEqual({ column, id, ok: false })
      }
    }
  })
})

describe('a journal that was changed:', () => {
  test('a digit', async ({ workspace }) => {
    fill(workspace)
    overwrite(workspace, '"cost_sats":0.25', '"cost_sats":0.35')
    const report = await verify(workspace)
    expect(kinds(report)).toEqual([`swapped ${DAY}:0`, `damaged ${DAY}:${C_AT}`])
    expect(report).toMatchObject({ damaged: 1, missing: 0, surplus: 0, rejected: 2 })
  })

  test('a digit of a completion, and one in a fused line', async ({ workspace }) => {
    writeSegment(workspace.journal, `${lines(A, B)}${C}${B_END}\n`)
    await project(workspace)
    overwrite(workspace, '"cost_sats":0.25', '"cost_sats":0.35')
    overwrite(workspace, '"output_tokens":2,"success"', '"output_tokens":3,"success"')
    const report = await verify(workspace)
    expect(kinds(report)).toEqual([`swapped ${DAY}:0`, `damaged ${DAY}:${B_END_AT}`])
  })

  test('a newline that became something else, and something else that became a newline', async ({
    workspace,
  }) => {
    fill(workspace)
    overwrite(workspace, '\n{"type":"stream', ' {"type":"stream')
    expect(kinds(await verify(workspace))).toEqual([`swapped ${DAY}:0`])
    overwrite(workspace, '"labels"', '\nlabels"')
    const report = await verify(workspace)
    expect(report).toMatchObject({ ok: false, damaged: 2, missing: 0, surplus: 0 })
  })

  test('a foreign line without a checksum', async ({ workspace }) => {
    writeSegment(workspace.journal, lines('{"model":"m","latency_ms":1,"success":true}'))
    await project(workspace)
    overwrite(workspace, '"latency_ms":1', '"latency_ms":2')
    expect(kinds(await verify(workspace))).toEqual([`swapped ${DAY}:0`, `altered ${DAY}:0`])
  })

  test('a deleted segment', async ({ workspace }) => {
    fill(workspace)
    workspace.expectDamage()
    rmSync(join(workspace.journal, DAY))
    const report = await verify(workspace)
    expect(kinds(report)).toEqual([`gone ${DAY}:0`])
    expect(report.problems[0]?.detail).toContain('the lines of 3 rows are gone')
    expect(report).toMatchObject({ segments: 1, rows: 4, surplus: 0 })
  })

  test('a truncated segment', async ({ workspace }) => {
    fill(workspace)
    workspace.expectDamage()
    truncateSync(join(workspace.journal, DAY), C_AT + 10)
    const report = await verify(workspace)
    expect(kinds(report)).toEqual([`truncated ${DAY}:${C_AT + 10}`])
    expect(report.problems[0]?.detail).toContain('the lines of 1 row are gone')
  })

  test('a swapped segment', async ({ workspace }) => {
    fill(workspace)
    workspace.expectDamage()
    rmSync(join(workspace.journal, NEXT_DAY))
    writeSegment(workspace.journal, lines(requestLine('e'), completionLine('later'), A), NEXT_DAY)
    const report = await verify(workspace)
    expect(kinds(report)).toEqual([`swapped ${NEXT_DAY}:0`, `altered ${NEXT_DAY}:0`])
  })

  test('a segment that is no file any more', async ({ workspace }) => {
    fill(workspace)
    workspace.expectDamage()
    copyFileSync(join(workspace.journal, DAY), join(workspace.directory, 'elsewhere'))
    rmSync(join(workspace.journal, DAY))
    symlinkSync('../elsewhere', join(workspace.journal, DAY))
    expect(kinds(await verify(workspace))).toEqual([`unreadable ${DAY}:0`])
  })
})

describe('without a database', () => {
  test('lines and checksums are checked; what never was valid is only rejected', async ({ workspace }) => {
    const { journal, directory } = workspace
    writeSegment(journal, lines(A, 'nonsense', '{"model":1}', checkedLine({ type: 'price_changed' })))
    writeSegment(journal, `${A.slice(0, 50)}${B}\n${B}${C.slice(0, 50)}\n${A.slice(0, 30)}\n{"ty`)
    const report = await verify({ journal, database: join(directory, 'none.db') })
    expect(report).toMatchObject({
      ...NONE_WRONG,
      ok: true,
      database: null,
      lines: 7,
      rows: 0,
      rejected: 6,
      pending: 0,
    })
  })

  test('a line that fails its checksum is damage', async ({ workspace }) => {
    const { journal } = workspace
    writeSegment(
      journal,
      lines(A, A.replace('"output_tokens":20', '"output_tokens":21'), B.replace('crc32', 'crc33')),
    )
    const report = await verify({ journal })
    expect(kinds(report)).toEqual([`damaged ${DAY}:${B_AT}`, `damaged ${DAY}:${2 * B_AT}`])
    expect(report).toMatchObject({ ok: false, damaged: 2, rejected: 2 })
  })
})

test('the list of problems is bounded, the counts are not', async ({ workspace }) => {
  const many = Array.from({ length: 700 }, (_, i) => requestLine(`r${i}`))
  writeSegment(workspace.journal, lines(...many))
  await project(workspace)
  alter(workspace, 'UPDATE requests SET latency_ms = 5')
  const report = await verify(workspace)
  expect(report).toMatchObject({ altered: 700, more_problems: 200 })
  expect(report.problems).toHaveLength(500)
})

test('no journal, and the database of another journal, are errors with a code', async ({ workspace }) => {
  const { journal, database, directory } = workspace
  await expect(verify({ journal, database })).rejects.toMatchObject({ code: 'JOURNAL_MISSING' })
  fill(workspace)
  const other = join(directory, 'other')
  writeSegment(other, '')
  const identity = { format: 1, journal_id: 'another', created_at: '2026-11-22T00:00:00.000Z' }
  writeFileSync(join(other, 'journal.json'), JSON.stringify(identity))
  await expect(verify({ journal: other, database })).rejects.toMatchObject({ code: 'OTHER_JOURNAL' })
})

test('a row whose id is not the one that its line gives it', async ({ workspace }) => {
  fill(workspace)
  alter(workspace, 'UPDATE requests SET id = 100005 WHERE id = 2')
  expect((await verify(workspace)).problems).toEqual([
    expect.objectContaining({
      kind: 'altered',
      row_id: 100005,
      columns: [{ column: 'id', journal: 2, database: 100005 }],
    }),
  ])
})

test('a row put back to an older completion, also where lines of another segment came late', async ({
  workspace,
}) => {
  const request = requestLine('a', { streaming: true })
  const [first, second] = [1, 2].map((tokens) =>
    completionLine('a', { output_tokens: tokens, success: true }),
  )
  writeSegment(workspace.journal, lines(request, first ?? '', second ?? ''))
  await project(workspace)
  writeSegment(workspace.journal, lines(requestLine('late')), '2026-11-21.ndjson')
  await project(workspace)
  expect(await verify(workspace)).toMatchObject({ ok: true, late: 1, superseded: 1 })
  const at = request.length + 1
  alter(
    workspace,
    `UPDATE requests SET output_tokens = 1, completed_byte_offset = ${at} WHERE correlation_id = 'a'`,
  )
  const { problems } = await verify(workspace)
  expect(problems).toMatchObject([{ kind: 'missing', byte_offset: at + (first ?? '').length + 1 }])
})

test('a segment that was cut anywhere is said to be, archived or not; nothing waits for what is gone', async ({
  workspace,
}) => {
  workspace.expectDamage()
  fill(workspace)
  const plain = join(workspace.journal, DAY)
  const bytes = readFileSync(plain)
  const archive = gzipSync(bytes)
  const expectFound = async (kind: string) => {
    const report = await verify(workspace)
    expect(report.problems.map((problem) => problem.kind)).toContain(kind)
  }
  for (let length = 0; length < bytes.length; length += 211) {
    writeFileSync(plain, bytes.subarray(0, length))
    await expectFound('truncated')
    expect(findDifferences(workspace.journal, workspace.database)).toContainEqual(
      `${DAY}: position ${bytes.length} beyond ${length} bytes`,
    )
  }
  rmSync(plain)
  for (let length = 0; length < bytes.length; length += 211) {
    writeFileSync(`${plain}.gz`, gzipSync(bytes.subarray(0, length)))
    await expectFound('truncated')
  }
  for (let length = 0; length < archive.length; length += 111) {
    writeFileSync(`${plain}.gz`, archive.subarray(0, length))
    await expectFound('unreadable')
  }
})
