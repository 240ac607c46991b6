import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect } from 'vitest'
import { projectOnce, replay } from '../../src/projection/index.js'
import { findDifferences } from '../support/checker.js'
import { end, startDaemon } from '../support/program.js'
import { test, type Workspace } from '../support/workspace.js'

const WRITER = fileURLToPath(new URL('writer.mjs', import.meta.url))

/** Runs a writer until it has been promised some appends, then kills it in the middle of whatever it does. */
async function runAndKill(journal: string, name: string, bytes: number, promised: number): Promise<string[]> {
  const writer = spawn(process.execPath, [WRITER, journal, name, String(bytes)])
  let output = ''
  await new Promise<void>((resolve, reject) => {
    writer.stdout.on('data', (chunk) => {
      output += chunk
      if (output.split('\n').length > promised) resolve()
    })
    writer.stderr.on('data', (chunk) => reject(new Error(String(chunk))))
  })
  await end(writer, 'SIGKILL')
  // A promise that was cut in the middle was not made.
  return output.split('\n').slice(0, -1)
}

async function killTogether(workspace: Workspace, rounds: number, bytes: number): Promise<string[]> {
  const promises: string[] = []
  for (let round = 0; round < rounds; round++) {
    const daemon: ChildProcess = await startDaemon(workspace.journal, workspace.database)
    const amount = () => 20 + Math.floor(Math.random() * (bytes > 0 ? 40 : 2000))
    const killed = await Promise.all([
      runAndKill(workspace.journal, `w${round}a`, bytes, amount()),
      runAndKill(workspace.journal, `w${round}b`, bytes, amount()),
    ])
    promises.push(...killed.flat())
    await end(daemon, 'SIGKILL')
  }
  return promises
}

// Ten rounds of two writers and a projector: thirty kills.
describe.each([
  { name: 'lines of 300 bytes', rounds: 7, bytes: 0 },
  { name: 'lines of 1 MB, where kills tear lines', rounds: 3, bytes: 1_000_000 },
])('SIGKILL at random instants, $name', ({ rounds, bytes }) => {
  test('every event whose append returned is there once; the database equals a fresh replay', async ({
    workspace,
  }) => {
    const promised = await killTogether(workspace, rounds, bytes)
    await projectOnce(workspace)
    const rows = workspace.query('SELECT correlation_id AS id, count(*) AS n FROM requests GROUP BY 1')
    const found = new Map(rows.map((row) => [row['id'], row['n']]))
    expect(promised.length).toBeGreaterThan(rounds * 40)
    expect(promised.filter((id) => found.get(id) !== 1)).toEqual([])
    expect([...found.values()].filter((n) => n !== 1)).toEqual([])

    expect(findDifferences(workspace.journal, workspace.database)).toEqual([])
    const live = workspace.query('SELECT * FROM requests ORDER BY id')
    await replay(workspace)
    expect(workspace.query('SELECT * FROM requests ORDER BY id')).toEqual(live)
  })
})
