import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { runHere } from '../support/command.js'
import { test } from '../support/workspace.js'

const CALLS = `when,model,ms,team
2026-10-25 01:00:00,gpt-4o,100,search
2026-10-25 02:00:00,gpt-4o,soon,search
`

test('import says what it would take, takes it once, and names what it rejects', async ({ workspace }) => {
  const { directory, journal } = workspace
  const file = join(directory, 'calls.csv')
  writeFileSync(file, CALLS)
  const map = ['--map', 'when=timestamp', '--map', 'ms=latency_ms', '--map', 'team=labels.team']
  const run = (...words: string[]) =>
    runHere(['import', file, '--from', 'csv', '--journal', journal, ...map, ...words])

  expect(await run()).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("calls.csv, line 2: when: the time '2026-10-25 01:00:00' has no offset"),
  })
  const dry = await run('--timezone', 'UTC', '--dry-run')
  expect(dry).toMatchObject({
    status: 1,
    stderr: "line 3: ms: found 'soon', expected a number such as 0.0125\n",
  })
  expect(dry.stdout).toMatch(/^1 request \(1 event\) would be imported/)
  expect(dry.stdout).toMatch(
    /\n\nThe first requests .*:\n2026-10-25T01:00:00.000Z gpt-4o: .*latency_ms 100, .*labels.team search\n$/,
  )
  expect(existsSync(journal)).toBe(false)

  const first = await run('--timezone', 'UTC')
  expect(first.status).toBe(1)
  expect(first.stdout).toMatch(
    /^1 request \(1 event\) imported into .*, 1 rejected\nfrom 2026-10-25T01:00:00.000Z/,
  )
  expect((await run('--timezone', 'UTC')).stdout).toMatch(
    /^Imported before: its requests went into 1 segment of/,
  )
  expect((await runHere(['import', '--list', '--journal', journal])).stdout).toMatch(
    /calls\.csv +--from csv .* 2026-10-25 +2026-10-25 +1 +1 +1 segment: /,
  )
  const undo = (...words: string[]) => runHere(['import', '--journal', journal, '--undo', ...words])
  expect(await undo('soon')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("option --undo: found 'soon', expected the id of an import"),
  })
  expect(await run('--timezone', 'UTC', '--json')).toMatchObject({
    status: 0,
    json: { already_imported: true, requests: 0, rejected: 0 },
  })
  const { json } = await run('--timezone', 'UTC', '--json')
  expect((await undo((json as { import_id: string }).import_id)).stdout).toMatch(
    /^Import \w{32} of calls\.csv was taken out: 1 request in 1 segment\nNext: `request-journal replay --allow-missing`/,
  )
  expect((await runHere(['import', '--list', '--journal', journal])).stdout).toBe('no imports\n')
})

test.for([
  [
    ['--from', 'excel'],
    "argument 'excel' is invalid. Allowed choices are litellm, langfuse, openrouter, csv, sqlite",
  ],
  [['--from', 'sqlite'], "option --table: found nothing, expected one with 'sqlite'"],
  [['--from', 'csv', '--map', 'when'], "Expected two names with '=' between them"],
  [
    ['--from', 'csv', '--map', 'a=time'],
    "option --map: found the field 'time', expected one of correlation_id",
  ],
  [['--from', 'csv', '--map', 'model=name'], "labels.NAME; if 'name' is the column, write name=model"],
  [['--undo', '3f9a12c4'], "'--undo' takes no file, found "],
  [['--list'], "'--list' takes no file, found "],
  [[], "required option '--from <source>' not specified"],
] as const)('%j is wrong use', async ([words, text], { workspace }) => {
  const { status, stderr } = await runHere(['import', 'file.csv', '--journal', workspace.journal, ...words])
  expect(stderr).toContain(text)
  expect(status).toBe(2)
})
