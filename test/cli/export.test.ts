import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { findDifferences } from '../support/checker.js'
import { runHere } from '../support/command.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { checkedLine, completionLine, requestLine } from '../support/lines.js'
import { end, PROGRAM, run, start } from '../support/program.js'
import { query, test, type Workspace } from '../support/workspace.js'

async function fill({ journal, database }: Workspace, ...text: string[]): Promise<void> {
  writeSegment(journal, lines(...text))
  await projectOnce({ journal, database })
}

test('NDJSON that another journal takes, and that gives the same rows there', async ({ workspace }) => {
  await fill(
    workspace,
    requestLine('a', { provider: 'p', cost_sats: 0.5, labels: { team: 'x' } }),
    requestLine('b', { success: false, error_status: 500, error_message: 'no\u001b' }),
    requestLine('ended', { streaming: true, attempt: 1 }),
    requestLine('ended', { streaming: true, attempt: 2 }),
    completionLine('ended', { attempt: 1, output_tokens: 7, stream_duration_ms: 900, success: true }),
    completionLine('ended', { attempt: 2, cost_sats: 2, success: false, error_message: 'gone' }),
    requestLine('open', { streaming: true }),
  )
  const { status, stdout, stderr } = await runHere(['export', '--db', workspace.database])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).not.toContain('\u001b')
  const copy = join(workspace.directory, 'copy')
  const appended = await runHere(['append', '--journal', copy], {}, stdout)
  expect(appended).toMatchObject({ status: 0, stderr: '' })
  await projectOnce({ journal: copy, database: `${copy}.db` })
  expect((await runHere(['export', '--db', `${copy}.db`])).stdout.replace(/"segment":.*/g, '')).toBe(
    stdout.replace(/"segment":.*/g, ''),
  )
  const isCompleted = 'SELECT completed_segment_id IS NOT NULL AS yes FROM requests ORDER BY id'
  expect(query(`${copy}.db`, isCompleted)).toEqual(workspace.query(isCompleted))
  expect(findDifferences(copy, `${copy}.db`)).toEqual([])
})

test('NDJSON with the costs that count, of which another journal takes only those that were logged', async ({
  workspace,
}) => {
  const usage = {
    input_tokens: 1000,
    output_tokens: 100,
    cache_read_input_tokens: 400,
    service_tier: 'default',
  }
  await fill(
    workspace,
    requestLine('priced', usage),
    requestLine('logged', { ...usage, cost_usd: 0.25 }),
    requestLine('provider', { provider_cost_usd: 0.5 }),
    checkedLine({
      ...{ type: 'price_set', provider: null, model: 'gpt-4o', valid_from: '2026-11-01T00:00:00.000Z' },
      ...{ currency: 'usd', per_million: { input: '2', output: '10' }, per_request: null },
      ...{ service_tier: null, min_input_tokens: null, source: null },
    }),
  )
  const { stdout } = await runHere(['export', '--db', workspace.database])
  const exported = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(exported).toMatchObject([
    { cost_usd: 0.003, cost_source: 'price_book', cost_currency: 'usd', cache_read_input_tokens: 400 },
    { cost_usd: 0.25, cost_source: 'logged', cost_currency: 'usd', service_tier: 'default' },
    { cost_usd: 0.5, cost_source: 'provider', provider_cost_usd: 0.5 },
  ])
  expect(exported[2]).not.toHaveProperty('cache_read_input_tokens')
  const copy = join(workspace.directory, 'copy')
  expect(await runHere(['append', '--journal', copy], {}, stdout)).toMatchObject({ status: 0, stderr: '' })
  await projectOnce({ journal: copy, database: `${copy}.db` })
  expect(
    query(
      `${copy}.db`,
      'SELECT cost_usd, cost_source, cache_read_input_tokens AS cached FROM requests ORDER BY id',
    ),
  ).toEqual([
    { cost_usd: null, cost_source: null, cached: 400 },
    { cost_usd: 0.25, cost_source: 'logged', cached: 400 },
    { cost_usd: 0.5, cost_source: 'provider', cached: null },
  ])
})

test('CSV with a header, in which nothing is a formula and numbers stay numbers', async ({ workspace }) => {
  await fill(
    workspace,
    requestLine('=1+1', {
      model: '@SUM(A1)',
      cost_sats: -0.5,
      error_message: 'a "quoted", thing\n',
      labels: { k: '-' },
    }),
    requestLine('+b', { provider: '-p', policy: '\tx' }),
    requestLine('\n=1+1'),
  )
  const { stdout } = await runHere(['export', '--format', 'csv', '--db', workspace.database])
  const [header, ...rows] = stdout.split('\n')
  expect(header).toMatch(/^id,correlation_id,timestamp,model,provider,policy,streaming,success,input_tokens,/)
  expect(rows[0]).toMatch(
    /^1,'=1\+1,2026-11-22T10:00:00\.000Z,'@SUM\(A1\),,,false,true,,,-0\.5,,100,,,"a ""quoted"", thing$/,
  )
  expect(rows[1]).toMatch(/^","\{""k"":""-""\}",2026-11-22\.ndjson,0,,+logged,sats$/)
  expect(rows[2]).toMatch(/^2,'\+b,2026-11-22T10:00:00\.000Z,gpt-4o,'-p,'\tx,false,/)
  expect(rows.slice(3).join('\n')).toMatch(/^3,"'\n=1\+1",/)
})

test('CSV with a byte order mark, and a column for each label that is asked for', async ({ workspace }) => {
  await fill(
    workspace,
    requestLine('a', { labels: { team: '=x', 'a.b': 'größe' } }),
    requestLine('b', { labels: JSON.parse('{"__proto__":"x"}') }),
    requestLine('c'),
  )
  const csv = ['export', '--db', workspace.database, '--format', 'csv']
  const columns = ['team', 'a.b', '__proto__', 'team'].flatMap((name) => ['--label-column', name])
  const { stdout } = await runHere([...csv, '--bom', ...columns])
  const [header, ...rows] = stdout.split('\n')
  expect(header).toMatch(
    /^\ufeffid,.*,byte_offset,attempt,.*,cost_source,cost_currency,label:team,label:a\.b,label:__proto__$/,
  )
  expect(rows.map((row) => row.split(',').slice(-3))).toEqual([
    ["'=x", 'größe', ''],
    ['', '', 'x'],
    ['', '', ''],
    [''],
  ])
  expect((await runHere(csv)).stdout).toMatch(/^id,/)
  for (const option of [['--bom'], ['--label-column', 'team']]) {
    const outcome = await runHere(['export', '--db', workspace.database, ...option])
    expect(outcome).toMatchObject({ status: 2, stdout: '' })
    expect(outcome.stderr).toContain("needs '--format csv': found '--format ndjson'")
  }
})

test('no rows: no lines, or the header alone', async ({ workspace }) => {
  await fill(workspace)
  expect((await runHere(['export', '--db', workspace.database])).stdout).toBe('')
  expect((await runHere(['export', '--db', workspace.database, '--format', 'csv'])).stdout).toMatch(
    /^id,.*,byte_offset,attempt,.*,cost_source,cost_currency\n$/,
  )
})

test('into a file of its owner, which must be new; an unknown model leaves none', async ({ workspace }) => {
  await fill(workspace, ...Array.from({ length: 1200 }, (_, i) => requestLine(`r${i}`)))
  const output = join(workspace.directory, 'out.ndjson')
  const args = ['export', '--db', workspace.database, '--output', output]
  expect((await runHere([...args, '--model', 'none'])).status).toBe(1)
  expect(existsSync(output)).toBe(false)
  expect(await runHere(args)).toMatchObject({
    status: 0,
    stdout: '',
    stderr: `1,200 requests to ${output}\n`,
  })
  expect(statSync(output).mode & 0o777).toBe(0o600)
  const written = readFileSync(output, 'utf8')
  expect(
    written
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id),
  ).toEqual(Array.from({ length: 1200 }, (_, i) => i + 1))
  expect(await runHere(args)).toMatchObject({ status: 1, stderr: expect.stringContaining('EEXIST') })
  expect(readFileSync(output, 'utf8')).toBe(written)
})

describe('an export that is met in the middle', () => {
  let folder: string
  let large: string

  /** So many rows that there is a middle. */
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'request-journal-export-'))
    large = join(folder, 'requests.db')
    const journal = join(folder, 'journal')
    writeSegment(journal, '')
    await projectOnce({ journal, database: large })
    const database = new SQLite(large)
    database.exec(`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
    INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success)
      SELECT 'r' || i, '2026-11-22T10:00:00.000Z', 'm', 1, 1 FROM n
  `)
    database.close()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.for([
    ['SIGINT', 130, 0],
    ['SIGTERM', 143, 0],
    // Nobody can remove anything then; but it doesn't have the name.
    ['SIGKILL', null, 1],
  ] as const)('by %s leaves nothing under the name', async ([signal, status, left], { workspace }) => {
    const output = join(workspace.directory, 'out.ndjson')
    const beginnings = () => readdirSync(workspace.directory).filter((name) => name.startsWith('out.ndjson'))
    const program = start(['export', '--db', large, '--output', output])
    let stderr = ''
    program.stderr?.on('data', (text) => {
      stderr += text
    })
    const closed = once(program, 'close')
    while (beginnings().length === 0 && program.exitCode === null) await sleep(1)
    expect(await end(program, signal)).toBe(status)
    await closed
    expect(existsSync(output)).toBe(false)
    expect(beginnings()).toHaveLength(left)
    if (left === 0) expect(stderr).toBe(`stopped: there is no ${output}\n`)
  })

  test('by a disk that refuses leaves nothing either', async ({ workspace }) => {
    const output = join(workspace.directory, 'out.ndjson')
    const command = 'ulimit -f 200; exec "$0" "$1" export --db "$2" --output "$3"'
    const args = ['-c', command, process.execPath, PROGRAM, large, output]
    const { status, stderr } = spawnSync('bash', args, { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^error: EFBIG/) })
    expect(readdirSync(workspace.directory).filter((name) => name.startsWith('out'))).toEqual([])
  })
})

test('a name may be as long as names can be; a folder that is not there is said before anything is written', async ({
  workspace,
}) => {
  await fill(workspace, requestLine('a'))
  const args = ['export', '--db', workspace.database, '--output']
  const longest = join(workspace.directory, 'ä'.repeat(127))
  expect(await runHere([...args, longest])).toMatchObject({ status: 0 })
  expect(existsSync(longest)).toBe(true)
  const path = join(workspace.directory, 'missing', 'out.ndjson')
  const { status, stderr } = await runHere([...args, path])
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringContaining(`--output '${path}': its folder doesn't exist`),
  })
  expect(await runHere([...args, ''])).toMatchObject({ status: 2 })
})

test('what is no file is written to as it is; a symlink is never replaced', async ({ workspace }) => {
  await fill(workspace, requestLine('a'), requestLine('b'))
  const args = ['export', '--db', workspace.database, '--output']
  const { status, stdout, stderr } = run([...args, '/dev/stdout'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '2 requests to /dev/stdout\n' })
  expect(JSON.parse(stdout.split('\n')[1] ?? '')).toMatchObject({ correlation_id: 'b' })
  const pipe = join(workspace.directory, 'pipe')
  const command = 'mkfifo "$3"; cat "$3" & "$0" "$1" export --db "$2" --output "$3" && wait'
  const piped = spawnSync('bash', ['-c', command, process.execPath, PROGRAM, workspace.database, pipe], {
    encoding: 'utf8',
  })
  expect(piped.stdout).toBe(stdout)
  const link = join(workspace.directory, 'link')
  symlinkSync(join(workspace.directory, 'nowhere'), link)
  expect(run([...args, link])).toMatchObject({ status: 1, stderr: expect.stringContaining('already') })
})

test('a reader that has enough ends it quietly', async ({ workspace }) => {
  await fill(
    workspace,
    ...Array.from({ length: 3000 }, (_, i) => requestLine(`r${i}`, { error_message: 'x'.repeat(500) })),
  )
  const command = '"$0" "$1" export --db "$2" | head -c 1; exit "$PIPESTATUS"'
  const { status, stdout, stderr } = spawnSync(
    'bash',
    ['-c', command, process.execPath, PROGRAM, workspace.database],
    {
      encoding: 'utf8',
    },
  )
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '{', stderr: '' })
})
