import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { projectOnce } from '../../../src/projection/index.js'
import { runHere } from '../../support/command.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { PROGRAM, run } from '../../support/program.js'
import { test, type Workspace } from '../../support/workspace.js'

const HOSTILE = 'e\u001b[\u009bJ\u202e\n!'
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/

async function fill({ journal, database }: Workspace): Promise<void> {
  writeSegment(
    journal,
    lines(
      requestLine('a', { provider: 'openai', cost_sats: 1234.5, input_tokens: 1000, output_tokens: 20 }),
      requestLine('b', { model: 'GPT-4O', streaming: true }),
      requestLine('c', { model: HOSTILE, success: false, error_status: 429, error_message: HOSTILE }),
      completionLine('b', { output_tokens: 5, stream_duration_ms: 12_345, success: true }),
      `{"model":"${HOSTILE}`.replace('\n', ''),
    ),
  )
  await projectOnce({ journal, database })
}

test('each page tells what is there, and lets no control character through', async ({ workspace }) => {
  await fill(workspace)
  const { journal, database } = workspace
  const pages = {
    stats: await runHere(['stats', '--db', database]),
    requests: await runHere(['requests', '--db', database]),
    rejected: await runHere(['rejected', '--db', database]),
    status: await runHere(['status', '--journal', journal, '--db', database]),
  }
  for (const [name, { status, stdout, stderr }] of Object.entries(pages)) {
    const torn = /^note: a line that breaks off was torn .*\n$/
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: name === 'rejected' ? expect.stringMatching(torn) : '',
    })
    expect(stdout).not.toMatch(CONTROL)
  }
  expect(pages.stats.stdout).toMatch(/^requests {2}3$/m)
  expect(pages.stats.stdout).toMatch(/^cost {6}1,234\.50 sats; 2 unpriced \(1 failed\)$/m)
  expect(pages.stats.stdout).toMatch(/^gpt-4o +2 +66\.7 % +0 .* 1,000 +25 +1,234\.50 +1 +100 ms/m)
  expect(pages.requests.stdout).toMatch(
    /^2026-11-22 10:00:00 +1 +gpt-4o +openai +1,000 +20 +1,234\.50 +100 ms +ok$/m,
  )
  expect(pages.requests.stdout).toMatch(/^2026-11-22 10:00:00 +2 +GPT-4O +– +– +5 +– +100 ms +12\.3 s +ok$/m)
  expect(pages.requests.stdout).toContain('e\\x1b[')
  expect(pages.stats.stdout).toContain('e\\x1b[\\u009bJ\\u202e\\n! ')
  expect(pages.rejected.stdout).toMatch(/^2026-11-22\.ndjson:\d+ +\d+ {2}not_json/m)
  expect(pages.status.stdout).toContain('3 requests, 1 rejected line, 0 held completions')
  expect(pages.status.stdout).toContain('lag       none')
})

test('nothing is cut in a pipe or where a terminal says 0 columns; COLUMNS counts everywhere', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  const message = `upstream: ${'the client went away; '.repeat(20)}end`
  const model = 'a-model-with-a-long-name/'.repeat(4)
  writeSegment(
    journal,
    lines(
      requestLine('a', { model, success: false, error_message: message }),
      `{"type":"${'x'.repeat(300)}end"}`,
    ),
  )
  await projectOnce({ journal, database })
  const page = async (command: string, columns = '') =>
    (await runHere([command, '--db', database], { COLUMNS: columns })).stdout
  onTestFinished(() => void Reflect.deleteProperty(process.stdout, 'columns'))
  for (const columns of [undefined, 0]) {
    Object.defineProperty(process.stdout, 'columns', { value: columns, configurable: true })
    const requests = await page('requests')
    expect(requests).toContain(`failed ${message}\n`)
    expect(requests).toContain(model)
    expect(await page('stats')).toMatch(/^a-model-with\S+\/ +1 +100\.0 % +1 +.*100 ms/m)
    expect(await page('rejected')).toContain(`{"type":"${'x'.repeat(100)}`)
  }
  const widths = (await page('requests', '80')).split('\n').map((line) => line.length)
  expect(Math.max(...widths)).toBeLessThanOrEqual(80)
  expect(widths[1]).toBeGreaterThan(60)
  for (const columns of ['80', '40', '1']) {
    expect(await page('rejected', columns), columns).toContain(' unknown_type')
    expect(await page('rejected', columns), columns).toContain(
      'is not known to this version: upgrade, then replay',
    )
    expect(await page('requests', columns), columns).toContain('failed')
  }
})

test('--json is one line with the promised fields, and no control character either', async ({
  workspace,
}) => {
  await fill(workspace)
  const { journal, database } = workspace
  const json = async (...args: string[]) => {
    const { status, stdout, json } = await runHere([...args, '--db', database, '--json'])
    expect(status).toBe(0)
    expect(stdout).not.toMatch(CONTROL)
    expect(stdout.split('\n')).toHaveLength(2)
    return json
  }
  expect(await json('stats')).toMatchObject({ counts: { total: 3, error: 1 } })
  expect(await json('stats')).not.toHaveProperty('models')
  const models = (await json('stats', '--group-by', 'model'))['models'] as Record<string, unknown>
  expect(Object.keys(models).sort()).toEqual([HOSTILE, 'gpt-4o'])
  expect(await json('stats', '--since', '2027-01-01T00:00:00+01:00')).toMatchObject({
    since: '2026-12-31T23:00:00.000Z',
    until: '9999-12-31T23:59:59.999Z',
    empty: true,
  })
  expect(await json('stats', '--until', '2026-11-22T10:00:00Z')).toMatchObject({ counts: { total: 3 } })
  expect(await json('requests', '--page', '2', '--per-page', '2')).toMatchObject({
    data: [{ id: 1, model: 'gpt-4o' }],
    page: 2,
    per_page: 2,
    total: 3,
    total_pages: 2,
  })
  expect(await json('rejected')).toEqual({
    total: 1,
    rejected: [
      {
        segment: DAY,
        byte_offset: expect.any(Number),
        length: expect.any(Number),
        reason: 'not_json',
        detail: expect.any(String),
        excerpt: expect.stringContaining('e\u001b'),
      },
    ],
  })
  expect(await json('status', '--journal', journal)).toMatchObject({
    journal: { journal_id: 'test-journal', segments: [{ name: DAY }] },
    database: { requests: 3, rejected: 1, held: 0, late_lines: 0 },
    lag_bytes: 0,
    lag_seconds: 0,
  })
})

test('an empty database has empty pages', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, '')
  await projectOnce({ journal, database })
  expect((await runHere(['requests', '--db', database])).stdout).toBe('no requests\n')
  expect((await runHere(['rejected', '--db', database])).stdout).toBe('no rejected lines\n')
  expect((await runHere(['stats', '--db', database])).stdout).toContain(
    'No requests found in the specified time range',
  )
})

test('status points out lag and a distrusted segment, and shows the newest twenty', async ({ workspace }) => {
  const { journal, database } = workspace
  for (let day = 1; day <= 23; day++) {
    writeSegment(journal, lines(requestLine('a')), `2026-01-${String(day).padStart(2, '0')}.ndjson`)
  }
  writeFileSync(join(journal, '2026-01-22.ndjson.distrusted'), '{}')
  const { status, stdout } = await runHere(['status', '--journal', journal, '--db', database])
  expect(status).toBe(1)
  expect(stdout).toContain('none yet')
  expect(stdout).toMatch(/^lag {7}[\d.]+ KiB not projected, for \d+ s; start `request-journal project`$/m)
  expect(stdout).toMatch(/^WARNING {3}2026-01-22\.ndjson is distrusted/m)
  expect(stdout).not.toContain('2026-01-03')
  expect(stdout).toMatch(/2026-01-04[\s\S]*2026-01-23[\s\S]*… and 3 older ones/)
})

test('what is missing is one clear paragraph, exit 1', async ({ workspace }) => {
  const { journal, database, directory } = workspace
  for (const args of [
    ['status', '--journal', journal, '--db', database],
    ['project', '--once', '--journal', journal, '--db', database],
    ['replay', '--journal', journal, '--db', database],
  ]) {
    const { status, stdout, stderr } = await runHere(args)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^error: There is no journal in .*\n$/)
  }
  writeFileSync(join(directory, 'text.db'), 'not a database, but long enough to be looked at'.repeat(30))
  const { status, stderr } = await runHere(['stats', '--db', join(directory, 'text.db')])
  expect(status).toBe(1)
  expect(stderr).toMatch(/^error: .*text\.db: the file is not an SQLite database.*\n$/)
})

test('a reader that has enough ends it quietly', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(
    journal,
    lines(
      ...Array.from({ length: 500 }, (_, i) => requestLine(`r${i}`, { error_message: 'x'.repeat(4000) })),
    ),
  )
  await projectOnce({ journal, database })
  const command = '"$0" "$1" requests --per-page 100 --json --db "$2" | head -c 1; exit "$PIPESTATUS"'
  const { status, stdout, stderr } = spawnSync('bash', ['-c', command, process.execPath, PROGRAM, database], {
    encoding: 'utf8',
  })
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '{', stderr: '' })
})

test('output that can’t be written is a failure', async ({ workspace }) => {
  const { database } = workspace
  await fill(workspace)
  const command = '"$0" "$1" requests --db "$2" > /dev/full'
  const { status, stderr } = spawnSync('sh', ['-c', command, process.execPath, PROGRAM, database], {
    encoding: 'utf8',
  })
  expect(status).toBe(1)
  expect(stderr).toMatch(/^error: ENOSPC.*\n$/)
})

test('replay rebuilds the same, and prints no progress when it is short', async ({ workspace }) => {
  await fill(workspace)
  const { journal, database } = workspace
  const rows = workspace.query('SELECT * FROM requests')
  const { status, stderr, json } = run(['replay', '--journal', journal, '--db', database, '--json'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(json).toMatchObject({ projected: 4, rejected: 1, elapsed_ms: expect.any(Number) })
  expect(workspace.query('SELECT * FROM requests')).toEqual(rows)
})

test('replay refuses when a segment is gone, unless told', async ({ workspace }) => {
  const { journal, database } = workspace
  await fill(workspace)
  writeSegment(journal, lines(requestLine('z')), '2026-11-23.ndjson')
  await projectOnce({ journal, database })
  spawnSync('rm', [join(journal, '2026-11-23.ndjson')])
  const refused = await runHere(['replay', '--journal', journal, '--db', database])
  expect(refused.status).toBe(1)
  expect(refused.stderr).toMatch(/^error: .*2026-11-23\.ndjson: .*--allow-missing\n$/)
  const { status, json } = await runHere([
    'replay',
    '--journal',
    journal,
    '--db',
    database,
    '--allow-missing',
    '--json',
  ])
  expect(status).toBe(0)
  expect(json).toMatchObject({ projected: 4 })
})
