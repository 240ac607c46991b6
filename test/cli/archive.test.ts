import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { describePrune } from '../../src/cli/prune.js'
import { projectOnce } from '../../src/projection/index.js'
import { runHere } from '../support/command.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { end, startDaemon } from '../support/program.js'
import { test } from '../support/workspace.js'

// Days that are over by any clock.
const [FIRST, SECOND] = ['2020-01-01.ndjson', '2020-01-02.ndjson'] as const

test('a prune that leaves a segment between those that go says that a replay goes without them', () => {
  const [first, left, last] = ['2020-01-01.ndjson', '2020-01-02.ndjson', '2020-01-03.ndjson'] as const
  const pruned = {
    dry_run: false,
    rows: 2,
    rejected: 0,
    held: 0,
    segments: [first, last],
    left: [],
    bytes: 9,
  }
  expect(describePrune({ ...pruned, replays_from: left })).toContain(
    `\n2 segments, ${first} to ${last}, can't be replayed any more: a replay begins with ${left}, without them`,
  )
})

test('a projector seals, archive compresses, prune takes away, each says what it did', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  const places = ['--journal', journal, '--db', database]
  const command = (...args: string[]) => runHere([...args, ...places])
  writeSegment(journal, lines(requestLine('a'), requestLine('b')), FIRST)
  writeSegment(journal, lines(requestLine('c')), SECOND)
  await projectOnce({ journal, database })

  expect((await command('archive', '--dry-run')).stdout).toMatch(/^1 segment would be archived: /)
  expect(existsSync(join(journal, FIRST))).toBe(true)
  const archived = await command('archive', '--json')
  expect(archived).toMatchObject({
    status: 0,
    json: {
      dry_run: false,
      archived: [{ segment: FIRST }],
      skipped: [{ segment: SECOND, reason: 'newest' }],
    },
  })
  expect((await command('archive')).stdout).toBe(
    `0 segments archived: 0 B became 0 B\n${SECOND} stays: writers append to it: it is the newest segment\n`,
  )
  expect((await command('verify')).status).toBe(0)

  expect((await command('prune', '--before', '2020-01-02', '--dry-run')).stdout).toMatch(
    /^2 rows of 1 segment \(\d+ B of archives\) would be removed\n2020-01-01\.ndjson couldn't be replayed any more: a replay begins with 2020-01-02\.ndjson\n$/,
  )
  expect(await command('prune', '--before', '2030-01-01', '--json')).toMatchObject({
    status: 0,
    json: {
      rows: 2,
      segments: [FIRST],
      left: [{ segment: SECOND, reason: 'not_archived' }],
      replays_from: SECOND,
    },
  })
  expect(workspace.query('SELECT correlation_id AS c FROM requests')).toEqual([{ c: 'c' }])
  expect((await command('verify')).status).toBe(0)
  expect((await command('replay', '--json')).status).toBe(0)
})

test('archive exits 1 where a segment is not what was sealed', async ({ workspace }) => {
  workspace.expectDamage()
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')), FIRST)
  writeSegment(journal, lines(requestLine('c')), SECOND)
  await projectOnce({ journal, database })
  const path = join(journal, FIRST)
  writeFileSync(path, readFileSync(path, 'utf8').replace('gpt-4o', 'gpt-5o'))
  const { status, stdout } = await runHere(['archive', '--journal', journal, '--db', database])
  expect(status).toBe(1)
  expect(stdout).toContain(`${FIRST} stays: NOT WHAT WAS SEALED`)
})

test('prune is refused while the projector runs; archive goes on beside it', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')), FIRST)
  writeSegment(journal, lines(requestLine('c')), SECOND)
  await projectOnce({ journal, database })
  const daemon = await startDaemon(journal, database)
  const { status, stderr } = await runHere([
    'prune',
    '--before',
    '2020-01-02',
    '--journal',
    journal,
    '--db',
    database,
  ])
  expect(status).toBe(1)
  expect(stderr).toMatch(new RegExp(`^error: .*a projector \\(pid ${daemon.pid} `))
  expect(await runHere(['archive', '--json', '--journal', journal, '--db', database])).toMatchObject({
    status: 0,
    json: { archived: [{ segment: FIRST }] },
  })
  expect(await end(daemon)).toBe(0)
})

test.for([
  [['prune'], /required option '--before <date>' not specified/],
  [['prune', '--before', 'May'], /'--before <date>' argument 'May' is invalid\. Expected a UTC day/],
  [['prune', '--before', '2026-02-30'], /'2026-02-30' is invalid/],
] as const)('wrong use, exit 2: %s', async ([args, message]) => {
  const { status, stderr } = await runHere([...args])
  expect(status).toBe(2)
  expect(stderr).toMatch(message)
})
