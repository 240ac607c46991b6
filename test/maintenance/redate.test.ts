import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openJournalWith } from '../../src/journal/append/journal.js'
import { nodeFileSystem } from '../../src/journal/file-system.js'
import { utcDay } from '../../src/journal/segments.js'
import { doctor } from '../../src/maintenance/doctor/doctor.js'
import { redateWith } from '../../src/maintenance/redate.js'
import { status } from '../../src/maintenance/status.js'
import { verify } from '../../src/maintenance/verify/verify.js'
import { projectOnce } from '../../src/projection/index.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { requestLog, test, type Workspace } from '../support/workspace.js'

const NOW = Date.now()
const TODAY = utcDay(NOW)
const FUTURE = Date.parse('2137-05-01T12:00:00Z')
const PORTS = { now: () => NOW, noticeMs: 1 }

/** A writer whose clock jumps ahead for one event, and others that follow it there; and what they wrote. */
async function writeAhead(workspace: Workspace) {
  let now = NOW
  const errors: string[] = []
  const logger = {
    warn: (_: object, message: string) => errors.push(message),
    error: (_: object, message: string) => errors.push(message),
  }
  const ports = { fs: nodeFileSystem, clock: { now: () => now } }
  const journal = openJournalWith({ directory: workspace.journal, logger, fsync: 'no' }, ports)
  const append = (name: string) => journal.append(requestLog({ correlation_id: name }))
  append('before')
  now = FUTURE
  append('ahead')
  now = NOW + 2000
  append('held')
  return {
    journal,
    append,
    errors,
    setNow: (ms: number) => {
      now = ms
    },
  }
}

const names = (workspace: Workspace) =>
  workspace.query('SELECT correlation_id AS name FROM requests ORDER BY id').map(({ name }) => name)

test('segments dated in the future get names of today: open writers go on, and rows keep order and ids', async ({
  workspace,
}) => {
  const { journal, append, errors, setNow } = await writeAhead(workspace)
  await projectOnce(workspace)
  expect(workspace.segments()).toEqual([`${TODAY}.ndjson`, '2137-05-01.ndjson'])
  expect((await status(workspace)).problems).toEqual([expect.stringMatching(/^2137.*request-journal redate/)])
  const { checks } = await doctor(workspace)
  expect(checks.find(({ check }) => check === 'segment_names')).toMatchObject({
    level: 'problem',
    advice: expect.stringContaining('request-journal redate'),
  })
  const plan = await redateWith({ ...workspace, dryRun: true }, PORTS)
  const renamed = [{ segment: '2137-05-01.ndjson', to: `${TODAY}_001.ndjson` }]
  expect(plan).toMatchObject({ dry_run: true, renamed, replayed: false })
  expect(workspace.segments()).toContain('2137-05-01.ndjson')
  // Appended to the renamed file, without a look at its name.
  append('unseen')
  expect(await redateWith(workspace, PORTS)).toMatchObject({
    renamed,
    left: [],
    still_written: [],
    replayed: true,
  })
  setNow(NOW + 4000)
  append('seen')
  await journal.flush()
  await journal.close()
  expect(errors).toEqual([])
  expect(journal.counters).toMatchObject({ dropped: 0, buffered: 0 })
  expect(workspace.segments()).toEqual([`${TODAY}.ndjson`, `${TODAY}_001.ndjson`])
  await projectOnce(workspace)
  expect(names(workspace)).toEqual(['before', 'ahead', 'held', 'unseen', 'seen'])
  expect((await status(workspace)).problems).toEqual([])
  expect(await verify(workspace)).toMatchObject({ ok: true, late: 0 })
  expect(await redateWith(workspace, PORTS)).toMatchObject({ renamed: [], replayed: false })
})

test('a run that was killed after the files had their names is taken up by the next', async ({
  workspace,
}) => {
  const { journal } = await writeAhead(workspace)
  await journal.close()
  await projectOnce(workspace)
  const name = (file: string) => join(workspace.journal, file)
  renameSync(name('2137-05-01.ndjson'), name(`${TODAY}_001.ndjson`))
  await expect(projectOnce(workspace)).rejects.toMatchObject({
    code: 'SEGMENT_MISSING',
    message: expect.stringContaining('if `redate` has renamed it, run `request-journal replay`'),
  })
  expect(await redateWith(workspace, PORTS)).toMatchObject({ renamed: [], replayed: true })
  expect(await projectOnce(workspace)).toMatchObject({ projected: 0 })
  expect(names(workspace)).toEqual(['before', 'ahead', 'held'])
})

test('a writer whose clock is still ahead is named', async ({ workspace }) => {
  const { journal, append, setNow } = await writeAhead(workspace)
  let ms = FUTURE
  // Looks, and goes where its clock says, whenever the files have been renamed.
  const ticking = setInterval(() => {
    ms += 2000
    setNow(ms)
    append('again')
  }, 1)
  const result = await redateWith(workspace, { now: () => NOW, noticeMs: 40 })
  clearInterval(ticking)
  expect(result.still_written).toEqual(['2137-05-01.ndjson'])
  // What went into files that were renamed is in the journal.
  await journal.close()
  expect(journal.counters.dropped).toBe(0)
})

test('with the database of another journal nothing is renamed', async ({ workspace }) => {
  const { journal } = await writeAhead(workspace)
  await journal.close()
  const other = {
    journal: join(workspace.directory, 'other'),
    database: join(workspace.directory, 'other.db'),
  }
  writeSegment(other.journal, lines(requestLine('a')))
  await projectOnce(other)
  const before = workspace.segments()
  const wrong = { ...workspace, database: other.database }
  await expect(redateWith(wrong, PORTS)).rejects.toMatchObject({ code: 'OTHER_JOURNAL' })
  expect(workspace.segments()).toEqual(before)
})
