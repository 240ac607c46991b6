import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { ManifestFile } from '../../src/journal/chain/manifest.js'
import { Sealer } from '../../src/journal/chain/seal.js'
import { listSegments } from '../../src/journal/segments.js'
import { status } from '../../src/maintenance/status.js'
import { withCatchUp } from '../support/catch-up.js'
import { countCalls } from '../support/counted-calls.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

const MIB = 1024 * 1024
const OPTIONS = { backlogFromBytes: MIB }
const goOn = () => false

test('a tail of many MiB without a newline is read once, and from where that ended when it grows', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await withCatchUp(workspace, OPTIONS, async (catchUp) => {
    await catchUp.run(goOn)
    writeSegment(workspace.journal, 'x'.repeat(4 * MIB))
    const first = await countCalls(async () => {
      await catchUp.run(goOn)
    })
    expect(first.bytes).toBeLessThan(4.1 * MIB)
    const idle = await countCalls(async () => {
      for (let i = 0; i < 20; i++) await catchUp.run(goOn)
    })
    expect(idle.bytes).toBeLessThan(MIB / 10)
    const asked = await countCalls(async () => {
      await status(workspace)
    })
    expect(asked.bytes).toBeLessThan(1.2 * MIB)
    writeSegment(workspace.journal, `${'x'.repeat(MIB)}\n${lines(requestLine('b'))}`)
    const grown = await countCalls(async () => {
      expect(await catchUp.run(goOn)).toMatchObject({ requests: 1, rejected: 1 })
    })
    expect(grown.bytes).toBeLessThan(2.2 * MIB)
  })
})

/** Writes 300 closed segments and today's, each with one request. Returns the names of the closed ones. */
function writeManySegments({ journal }: Workspace): string[] {
  const days = Array.from({ length: 300 }, (_, i) => `2026-11-21_${String(i + 1).padStart(3, '0')}.ndjson`)
  for (const [i, name] of days.entries()) writeSegment(journal, lines(requestLine(`${i}`)), name)
  writeSegment(journal, lines(requestLine('today')))
  return days
}

test('closed segments that nobody has touched are not opened again, and a late line in one is found', async ({
  workspace,
}) => {
  const days = writeManySegments(workspace)
  await withCatchUp(workspace, OPTIONS, async (catchUp) => {
    for (let i = 0; i < 2; i++) await catchUp.run(goOn, true)
    const complete = await countCalls(async () => {
      await catchUp.run(goOn, true)
    })
    expect(complete.opens).toBe(0)
    const usual = await countCalls(async () => {
      for (let i = 0; i < 20; i++) await catchUp.run(goOn)
    })
    expect(usual.opens).toBe(0)
    // The directory and the newest segment, and few of the closed ones each time.
    expect(usual.stats).toBeLessThan(20 * 10)
    writeSegment(workspace.journal, lines(requestLine('late')), days[7])
    const late = await countCalls(async () => {
      expect(await catchUp.run(goOn, true)).toMatchObject({ requests: 1, late: 1 })
    })
    expect(late.opens).toBeLessThan(4)
  })
})

test('after a run that failed, the next one looks at the closed segments that it did not come to', async ({
  workspace,
}) => {
  const days = writeManySegments(workspace)
  const first = join(workspace.journal, days[0] ?? '')
  const bytes = readFileSync(first)
  await withCatchUp(workspace, OPTIONS, async (catchUp) => {
    await catchUp.run(goOn, true)
    writeSegment(workspace.journal, lines(requestLine('late')), days[200])
    writeFileSync(first, '')
    await expect(catchUp.run(goOn, true)).rejects.toMatchObject({ code: 'SEGMENT_TRUNCATED' })
    writeFileSync(first, bytes)
    expect(await catchUp.run(goOn)).toMatchObject({ requests: 1, late: 1 })
  })
})

test('sealing one more segment reads what is new of the manifest, and copies nothing of it', async ({
  workspace,
}) => {
  const { journal } = workspace
  for (let i = 1; i <= 100; i++) {
    const name = `2024-11-21_${String(i).padStart(3, '0')}.ndjson`
    writeSegment(journal, lines(requestLine(`${i}`)), name)
  }
  const sealer = new Sealer(journal, Date, { info() {}, warn() {} })
  const counted = await countCalls(async () => await sealer.seal(listSegments(journal)))
  const manifest = new ManifestFile(journal)
  expect(manifest.read().entries).toHaveLength(100)
  const bytes = statSync(join(journal, 'manifest.jsonl')).size
  const segments = 100 * lines(requestLine('100')).length
  expect(counted.bytes).toBeLessThan(2 * (bytes + segments))
  // The segment, its name, and the manifest thrice; the directory is synced for a manifest that is new.
  expect(counted.opens).toBeLessThan(6 * 100)
  expect(manifest.read().entries).toBe(manifest.read().entries)
})
