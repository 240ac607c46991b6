import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { expect } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { projectOnceWith } from '../../src/projection/projector.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { query, test, type Workspace } from '../support/workspace.js'

const KILLS = 3
const BACKLOG = ['2026-11-23', '2026-11-24', '2026-11-25']

const TABLES = ['requests', 'held_completions', 'rollups', 'token_ratio_sums', 'journal_segments']

/** Each as a text: a difference of 4,000 rows is nothing to look at. */
function contents(workspace: Workspace): string[] {
  const indexes = workspace.query("SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name")
  const tables = TABLES.map((table) => workspace.query(`SELECT * FROM ${table} ORDER BY 1, 2, 3`))
  return [indexes, ...tables].map((rows) =>
    createHash('sha256')
      .update(JSON.stringify(rows.map((row) => ({ ...row, caught_up_at: null }))))
      .digest('hex'),
  )
}

function part(name: string): string {
  return lines(
    completionLine(`${name}-1`, { output_tokens: 7 }),
    ...Array.from({ length: 1000 }, (_, i) => requestLine(`${name}-${i}`, { policy: 'p' })),
    completionLine(`${name}-2`, { output_tokens: 8 }),
    completionLine('later', { output_tokens: 9 }),
  )
}

/** Brings the backlog in in bulk; says `ready` once all is loaded, and `done` behind the commit. */
function program({ journal, database }: Workspace): string {
  const projector = pathToFileURL('dist/projection/projector.js')
  return `
    import { projectOnceWith } from '${projector}'
    console.log('ready')
    const options = ${JSON.stringify({ journal, database })}
    await projectOnceWith(options, Date, 0)
    console.log('done')
  `
}

/** @param killAfterMs behind `ready`; null: never. @returns how long it took, null when it was killed. */
async function projectInBulk(workspace: Workspace, killAfterMs: number | null): Promise<number | null> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(workspace)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = new Promise((resolve) => child.on('close', resolve))
  let output = ''
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (text) => {
      output += text
      if (output.includes('ready')) resolve()
    })
  })
  const startedAt = performance.now()
  if (killAfterMs !== null) {
    await sleep(killAfterMs)
    child.kill('SIGKILL')
  }
  await closed
  return output.includes('done') ? performance.now() - startedAt : null
}

test('SIGKILL in a bulk transaction leaves all of the database as it was, or all of it new', async ({
  workspace,
}) => {
  const whole: Workspace = {
    ...workspace,
    database: `${workspace.database}-whole`,
    query: (sql) => query(whole.database, sql),
  }
  writeSegment(workspace.journal, part('a'))
  for (const one of [workspace, whole]) await projectOnce(one)
  const before = contents(workspace)
  for (const day of BACKLOG) writeSegment(workspace.journal, part(day), `${day}.ndjson`)
  const wholeMs = await projectInBulk(whole, null)
  const after = contents(whole)
  expect(after).not.toEqual(before)

  let killed = 0
  for (let i = 0; i < KILLS; i++) {
    const endedMs = await projectInBulk(workspace, ((wholeMs ?? 0) * i) / KILLS)
    const now = contents(workspace)
    expect([before, after]).toContainEqual(now)
    if (endedMs === null) killed++
    if (now[1] === after[1]) break
  }
  expect(killed).toBeGreaterThan(0)
  await projectOnceWith(workspace, Date, 0)
  expect(contents(workspace)).toEqual(after)
  expect(workspace.query('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
})
