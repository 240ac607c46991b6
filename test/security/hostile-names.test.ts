import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { projectOnce, replay } from '../../src/projection/index.js'
import { runHere } from '../support/command.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { run } from '../support/program.js'
import { test } from '../support/workspace.js'

/** Titles, colours, cursor, hyperlinks, clipboard, C1 codes, reordering, a new line that looks like another row. */
const HOSTILE_NAMES = [
  '\u001b]0;title\u0007',
  '\u001b[2J\u001b[31mred',
  '\u001b]8;;http://evil\u001b\\link',
  '\u001b]52;c;ZXZpbA==\u0007',
  '\u009b31m\u009d0;title\u009c',
  'a\u202eb\u2066c\u200bd',
  'x\r\nrequests  0',
  'tab\tbell\u0007back\u0008\u007f',
  "'; DROP TABLE requests; --",
  '" OR 1=1 --',
  '$(reboot) `reboot`',
  '__proto__',
  'constructor',
  '../../../etc/passwd',
  '%s %n %d',
  '\uffff\ufdd0',
]
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/

test('no name in the journal reaches a terminal, SQL or a path as anything but text', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  const text = HOSTILE_NAMES.map((name) =>
    lines(
      requestLine(name, {
        model: name,
        provider: name,
        policy: name,
        error_message: name,
        success: false,
        labels: { [name]: name },
      }),
      completionLine(`${name} never came`, { error_message: name }),
      `not json ${name.replace(/\n/g, '')}`,
      requestLine('x', { type: name }),
      requestLine('x', { model: 7, [name]: name }),
    ),
  )
  writeSegment(journal, text.join(''))
  writeFileSync(join(journal, `${DAY}.distrusted`), HOSTILE_NAMES.join('\n'))
  writeFileSync(join(journal, `2026-11-22_001.ndjson\u001b[31m`), '')
  await projectOnce({ journal, database })
  const rows = workspace.query('SELECT model, correlation_id FROM requests ORDER BY id')
  expect(rows).toEqual(HOSTILE_NAMES.map((name) => ({ model: name, correlation_id: name })))
  await replay({ journal, database })
  expect(workspace.query('SELECT model, correlation_id FROM requests ORDER BY id')).toEqual(rows)

  const db = ['--db', database]
  const both = [...db, '--journal', journal]
  for (const args of [
    ['stats', ...db],
    ['stats', '--group-by', 'provider', ...db],
    ['stats', '--group-by', 'policy', ...db],
    ['stats', '--group-by', `label:${HOSTILE_NAMES[0]}`, ...db],
    ['requests', ...db],
    ['show', '1', ...both],
    ['show', '7', ...both],
    ['rejected', ...db],
    ['status', ...both],
    ['doctor', ...both],
  ]) {
    for (const { stdout, stderr, status } of [await runHere(args), await runHere([...args, '--json'])]) {
      expect(status, `${args[0]}: ${stderr}`).toBe(args[0] === 'doctor' || args[0] === 'status' ? 1 : 0)
      expect(stdout + stderr).not.toMatch(UNSAFE)
    }
  }
  // Their log is written to the descriptor itself.
  for (const command of [['project', '--once'], ['replay']]) {
    for (const { stdout, stderr, status } of [
      run([...command, ...both]),
      run([...command, ...both, '--json']),
    ]) {
      expect(status, stderr).toBe(0)
      expect(stdout + stderr).not.toMatch(UNSAFE)
    }
  }
  expect((await runHere(['requests', ...db])).stdout).toContain('\\x1b[2J')
  expect((await runHere(['export', ...db])).stdout).not.toMatch(UNSAFE)
})

test('a path with escapes in it is shown without them', async ({ workspace }) => {
  const path = join(workspace.directory, 'a\u001b[31mb')
  for (const args of [
    ['status', '--journal', path],
    ['stats', '--db', path],
    ['doctor', '--journal', path, '--db', path],
  ]) {
    const { stdout, stderr, status } = await runHere(args)
    expect(status).toBe(1)
    expect(stdout + stderr).not.toMatch(UNSAFE)
    expect(stdout + stderr).toContain('a\\x1b[31mb')
  }
  const { stdout } = run(['append', '--journal', path], { input: '' })
  expect(stdout).not.toMatch(UNSAFE)
})
