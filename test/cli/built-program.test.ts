import { expect } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { runHere } from '../support/command.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { run } from '../support/program.js'
import { test } from '../support/workspace.js'

/** What differs from run to run. */
const MEASURED = /\d+ ms|[\d.]+ \w+ free( \(\d+ %\))?/g

// Most tests of commands run them in their own process: this holds that the program that users have says the same of those
// that no other test starts.
test('the built program gives what its commands give: output, errors, exit code', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a'), 'nonsense'), '2020-01-01.ndjson')
  writeSegment(journal, lines(requestLine('b')), '2020-01-02.ndjson')
  await projectOnce({ journal, database })
  const db = ['--db', database]
  const both = [...db, '--journal', journal]
  for (const [args, status] of [
    [['stats', ...db], 0],
    [['stats', '--model', 'none', ...db], 1],
    [['show', '1', ...both], 0],
    [['show', 'x', ...both], 1],
    [['rejected', '--json', ...db], 0],
    [['verify', ...both], 0],
    [['doctor', ...both], 0],
    [['archive', '--dry-run', ...both], 0],
    [['prune', '--before', '2020-01-02', '--dry-run', ...both], 0],
  ] as const) {
    const [built, here] = [run([...args]), await runHere([...args])]
    const without = ({ status, stdout, stderr }: typeof built) => ({
      status,
      stdout: stdout.replace(MEASURED, ''),
      stderr,
    })
    expect(without(built), args[0]).toEqual({ ...without(here), status })
  }
})
