import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { PROGRAM, run } from '../support/program.js'
import { test, type Workspace } from '../support/workspace.js'

async function fill({ journal, database }: Workspace, ...text: string[]): Promise<void> {
  writeSegment(journal, lines(...text))
  await projectOnce({ journal, database })
}

test('NDJSON that another journal takes, and that gives the same rows there', async ({ workspace }) => {
  await fill(
    workspace,
    requestLine('a', { provider: 'p', cost_sats: 0.5, labels: { team: 'x' } }),
    requestLine('b', { success: false, error_status: 500, error_message: 'no\u001b' }),
  )
  const { status, stdout, stderr } = run(['export', '--db', workspace.database])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).not.toContain('\u001b')
  const copy = join(workspace.directory, 'copy')
  expect(run(['append', '--journal', copy], { input: stdout }).status).toBe(0)
  await projectOnce({ journal: copy, database: `${copy}.db` })
  expect(run(['export', '--db', `${copy}.db`]).stdout.replace(/"segment":.*/g, '')).toBe(
    stdout.replace(/"segment":.*/g, ''),
  )
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
  const { stdout } = run(['export', '--format', 'csv', '--db', workspace.database])
  const [header, ...rows] = stdout.split('\n')
  expect(header).toMatch(/^id,correlation_id,timestamp,model,provider,policy,streaming,success,input_tokens,/)
  expect(rows[0]).toMatch(
    /^1,'=1\+1,2026-11-22T10:00:00\.000Z,'@SUM\(A1\),,,false,true,,,-0\.5,,100,,,"a ""quoted"", thing$/,
  )
  expect(rows[1]).toMatch(/^","\{""k"":""-""\}",2026-11-22\.ndjson,0$/)
  expect(rows[2]).toMatch(/^2,'\+b,2026-11-22T10:00:00\.000Z,gpt-4o,'-p,'\tx,false,/)
  expect(rows.slice(3).join('\n')).toMatch(/^3,"'\n=1\+1",/)
})

test('no rows: no lines, or the header alone', async ({ workspace }) => {
  await fill(workspace)
  expect(run(['export', '--db', workspace.database]).stdout).toBe('')
  expect(run(['export', '--db', workspace.database, '--format', 'csv']).stdout).toMatch(
    /^id,.*,byte_offset\n$/,
  )
})

test('into a file of its owner, which must be new; an unknown model leaves none', async ({ workspace }) => {
  await fill(workspace, ...Array.from({ length: 1200 }, (_, i) => requestLine(`r${i}`)))
  const output = join(workspace.directory, 'out.ndjson')
  const args = ['export', '--db', workspace.database, '--output', output]
  expect(run([...args, '--model', 'none']).status).toBe(1)
  expect(existsSync(output)).toBe(false)
  expect(run(args)).toMatchObject({ status: 0, stdout: '', stderr: `1,200 requests to ${output}\n` })
  expect(statSync(output).mode & 0o777).toBe(0o600)
  const written = readFileSync(output, 'utf8')
  expect(
    written
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id),
  ).toEqual(Array.from({ length: 1200 }, (_, i) => i + 1))
  expect(run(args)).toMatchObject({ status: 1, stderr: expect.stringContaining('EEXIST') })
  expect(readFileSync(output, 'utf8')).toBe(written)
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
