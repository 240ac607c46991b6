import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { archiveWith } from '../../src/maintenance/archive.js'
import { doctor, prune, verify } from '../../src/maintenance/index.js'
import { projectOnce, replay, startProjector } from '../../src/projection/index.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test } from '../support/workspace.js'

beforeEach(() => void vi.useFakeTimers({ now: Date.parse('2026-11-25T00:00:00.000Z') }))
afterEach(() => void vi.useRealTimers())

test('every function ends while a test of its caller has fake timers', async ({ workspace }) => {
  const ids = () => workspace.query('SELECT correlation_id AS id FROM requests').map(({ id }) => id)
  // Waits for a journal by its timer alone: there is nothing yet to watch.
  const projector = await startProjector(workspace)
  writeSegment(workspace.journal, lines(requestLine('a')), '2026-11-20.ndjson')
  while (!existsSync(workspace.database) || ids().length < 1) await sleep(5)
  await projector.stop()
  writeSegment(workspace.journal, lines(requestLine('b')), '2026-11-21.ndjson')
  expect(await projectOnce(workspace)).toMatchObject({ projected: 1 })
  expect(await replay(workspace)).toMatchObject({ projected: 2 })
  const { archived } = await archiveWith(workspace, { noticeMs: 20, onStep() {} })
  expect(archived).toHaveLength(1)
  expect(await prune({ ...workspace, before: '2026-11-21' })).toMatchObject({ rows: 1 })
  expect(await verify(workspace)).toMatchObject({ problems: [] })
  expect((await doctor(workspace)).checks.find(({ check }) => check === 'watcher')).toBeDefined()
  expect(ids()).toEqual(['b'])
})
