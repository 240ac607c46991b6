import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { readManifest } from '../../src/journal/chain/manifest.js'
import { openSegment } from '../../src/journal/read/open-segment.js'
import { listSegments } from '../../src/journal/segments.js'
import { archiveWith } from '../../src/maintenance/archive.js'
import { replay, startProjector } from '../../src/projection/index.js'
import { projectOnceWith } from '../../src/projection/projector.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

const NEXT_DAY = '2026-11-23.ndjson'
const LATER = { now: () => Date.parse('2026-11-24T00:10:00.000Z') }
const AT_ONCE = { noticeMs: 1, onStep() {} }

/** Two days, the first of which is over for good. */
async function twoDays(workspace: Workspace): Promise<void> {
  writeSegment(workspace.journal, lines(requestLine('a'), 'garbage', requestLine('b')))
  writeSegment(workspace.journal, lines(requestLine('c')), NEXT_DAY)
  await projectOnceWith(workspace, LATER)
}

const files = (workspace: Workspace) =>
  readdirSync(workspace.journal)
    .filter((name) => name.startsWith('20'))
    .sort()
const rows = (workspace: Workspace) =>
  workspace
    .query('SELECT correlation_id AS c FROM requests ORDER BY id')
    .map(({ c }) => c)
    .join(' ')

test('a sealed and projected segment is compressed, and reads like the plain one', async ({ workspace }) => {
  await twoDays(workspace)
  const plain = workspace.readSegment(DAY)
  const result = await archiveWith(workspace, AT_ONCE)
  const archive = readFileSync(join(workspace.journal, `${DAY}.gz`))
  expect(result).toEqual({
    dry_run: false,
    archived: [{ segment: DAY, bytes: plain.length, archive_bytes: archive.length }],
    skipped: [{ segment: NEXT_DAY, reason: 'newest' }],
    bytes_before: plain.length,
    bytes_after: archive.length,
  })
  expect(files(workspace)).toEqual([`${DAY}.gz`, NEXT_DAY])
  expect(gunzipSync(archive)).toEqual(plain)
  expect(statSync(join(workspace.journal, `${DAY}.gz`)).mode & 0o777).toBe(0o644)
  expect(readManifest(workspace.journal)).toMatchObject({
    entries: [{ kind: 'sealed' }, { kind: 'sealed' }, { kind: 'archived', lines: 3 }],
    problems: [],
  })
  const before = workspace.query('SELECT * FROM requests')
  await projectOnceWith(workspace, LATER)
  expect(await replay(workspace)).toMatchObject({ projected: 3, rejected: 1 })
  expect(workspace.query('SELECT * FROM requests')).toEqual(before)
  expect(await archiveWith(workspace, AT_ONCE)).toMatchObject({ archived: [] })
})

test('a fresh database is projected from archives', async ({ workspace }) => {
  await twoDays(workspace)
  await archiveWith(workspace, AT_ONCE)
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${workspace.database}${suffix}`, { force: true })
  expect(await projectOnceWith(workspace, LATER)).toMatchObject({ projected: 3, rejected: 1 })
  expect(rows(workspace)).toBe('a b c')
})

test('lines of an archive after the position are projected from it', async ({ workspace }) => {
  await twoDays(workspace)
  const other = { ...workspace, database: join(workspace.directory, 'other.db') }
  appendFileSync(join(workspace.journal, DAY), lines(requestLine('late')))
  await projectOnceWith(other, LATER)
  await archiveWith(other, AT_ONCE)
  expect(await projectOnceWith(workspace, LATER)).toMatchObject({ projected: 1 })
  expect(rows(workspace)).toBe('a b c late')
  expect(
    workspace.query('SELECT late_lines FROM journal_segments WHERE id % 10000000 / 1000 = 1122'),
  ).toEqual([{ late_lines: 1 }])
})

test('a segment that was compressed by hand is projected too, and checked', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnceWith(workspace, { now: () => 0 })
  const plain = workspace.readSegment(DAY)
  rmSync(join(workspace.journal, DAY))
  writeFileSync(join(workspace.journal, `${DAY}.gz`), gzipSync(`${plain}${lines(requestLine('b'))}`))
  expect(await projectOnceWith(workspace, { now: () => 0 })).toMatchObject({ projected: 1 })
  writeFileSync(join(workspace.journal, `${DAY}.gz`), gzipSync(lines(requestLine('x'), requestLine('y'))))
  await expect(projectOnceWith(workspace, { now: () => 0 })).rejects.toThrow('its bytes differ before byte')
  workspace.expectDamage()
})

describe('a segment stays as it is', () => {
  test('when it is not sealed, not projected, or altered since it was sealed', async ({ workspace }) => {
    workspace.expectDamage()
    writeSegment(workspace.journal, lines(requestLine('a')))
    writeSegment(workspace.journal, lines(requestLine('b')), NEXT_DAY)
    await projectOnceWith(workspace, { now: () => Date.parse('2026-11-23T00:09:59.999Z') })
    const reason = async () => (await archiveWith(workspace, AT_ONCE)).skipped[0]?.reason
    expect(await reason()).toBe('not_sealed')
    await projectOnceWith(workspace, { now: () => Date.parse('2026-11-23T00:10:00.000Z') })
    appendFileSync(join(workspace.journal, DAY), `${requestLine('late')}\n{"frag`)
    expect(await reason()).toBe('not_projected')
    expect(workspace.readSegment(DAY).at(-1)).toBe(0x0a)
    await projectOnceWith(workspace, LATER)
    const path = join(workspace.journal, DAY)
    writeFileSync(path, readFileSync(path, 'utf8').replace('gpt-4o', 'gpt-5o'))
    expect(await reason()).toBe('altered')
    expect(files(workspace)).toEqual([DAY, NEXT_DAY])
  })

  test('when its archive holds more: an older copy of the plain file was put beside it', async ({
    workspace,
  }) => {
    workspace.expectDamage()
    await twoDays(workspace)
    const older = workspace.readSegment(DAY)
    appendFileSync(join(workspace.journal, DAY), lines(requestLine('late')))
    await projectOnceWith(workspace, LATER)
    await archiveWith(workspace, AT_ONCE)
    const archive = readFileSync(join(workspace.journal, `${DAY}.gz`))
    writeFileSync(join(workspace.journal, DAY), older)
    await replay({ ...workspace, allowMissing: true })
    expect(await archiveWith(workspace, AT_ONCE)).toMatchObject({
      archived: [],
      skipped: [{ segment: DAY, reason: 'altered' }, { segment: NEXT_DAY }],
    })
    expect(readFileSync(join(workspace.journal, `${DAY}.gz`))).toEqual(archive)
    expect(workspace.readSegment(DAY)).toEqual(older)
    // Nothing would be lost if there were no archive, or one that holds no more.
    writeFileSync(join(workspace.journal, `${DAY}.gz`), gzipSync(older))
    expect(await archiveWith(workspace, AT_ONCE)).toMatchObject({ archived: [{ segment: DAY }] })
  })

  test('when an archive that somebody has made by hand holds other lines', async ({ workspace }) => {
    await twoDays(workspace)
    const plain = workspace.readSegment(DAY)
    const archive = gzipSync(`${plain}${lines(requestLine('only here'))}`)
    writeFileSync(join(workspace.journal, `${DAY}.gz`), archive)
    expect(await archiveWith(workspace, AT_ONCE)).toMatchObject({ archived: [] })
    expect(readFileSync(join(workspace.journal, `${DAY}.gz`))).toEqual(archive)
    // Nobody knows what a damaged one held.
    writeFileSync(join(workspace.journal, `${DAY}.gz`), archive.subarray(0, 50))
    expect(await archiveWith(workspace, AT_ONCE)).toMatchObject({ archived: [] })
    expect(readFileSync(join(workspace.journal, `${DAY}.gz`))).toEqual(archive.subarray(0, 50))
    writeFileSync(join(workspace.journal, `${DAY}.gz`), gzipSync(plain))
    expect(await archiveWith(workspace, AT_ONCE)).toMatchObject({ archived: [{ segment: DAY }] })
  })

  test('when it is archived with --dry-run', async ({ workspace }) => {
    await twoDays(workspace)
    const result = await archiveWith({ ...workspace, dryRun: true }, AT_ONCE)
    expect(result).toMatchObject({ dry_run: true, archived: [{ segment: DAY }], bytes_after: null })
    expect(files(workspace)).toEqual([DAY, NEXT_DAY])
  })
})

describe('an archive that is not what was recorded stops the projector and a replay', () => {
  test('when it has another size', async ({ workspace }) => {
    workspace.expectDamage()
    await twoDays(workspace)
    await archiveWith(workspace, AT_ONCE)
    truncateSync(join(workspace.journal, `${DAY}.gz`), 50)
    await expect(projectOnceWith(workspace, LATER)).rejects.toMatchObject({ code: 'SEGMENT_REPLACED' })
    await expect(replay(workspace)).rejects.toMatchObject({ code: 'SEGMENT_UNREADABLE' })
  })

  test('when it has other lines', async ({ workspace }) => {
    workspace.expectDamage()
    await twoDays(workspace)
    const plain = workspace.readSegment(DAY).toString()
    await archiveWith(workspace, AT_ONCE)
    const other = gzipSync(plain.replace('garbage', 'carnage'))
    writeFileSync(join(workspace.journal, `${DAY}.gz`), other)
    await expect(replay(workspace)).rejects.toMatchObject({ code: 'SEGMENT_REPLACED' })
    expect(await replay({ ...workspace, allowMissing: true })).toMatchObject({ projected: 3 })
  })
})

/** Killed at this step of this turn, which comes again in a run that archives anew. */
const KILLS = ['written', 'compared', 'recorded', 'named', 'left', 'settled', 'removed'] as const

describe.each(KILLS)('killed after the step: %s', (kill) => {
  test.for([1, 2])('turn %d, while a late writer appends at every step', async (turn, { workspace }) => {
    await twoDays(workspace)
    const path = join(workspace.journal, DAY)
    let appended = 0
    // It has the segment open since before, and looks once a second: so it notices a segment that has left.
    const writer = openSync(path, 'a')
    const append = () => {
      if (!existsSync(path) && appended > 8) return
      const id = `late-${String(appended++).padStart(2, '0')}`
      writeSync(writer, lines(requestLine(id)))
    }
    let turns = 0
    const onStep = (step: string) => {
      // Behind `settled` a writer has had its time to notice.
      if (step !== 'settled' && step !== 'removed') append()
      if (step === kill && ++turns === turn) throw new Error('killed')
    }
    const run = archiveWith(workspace, { noticeMs: 1, onStep })
    const wasKilled = await run.then(
      () => false,
      (error: Error) => error.message === 'killed',
    )
    if (turn === 1) expect(wasKilled).toBe(true)
    // Whatever stands there now: the projector and a replay find every line, each once.
    const expected = () =>
      [
        'a',
        'b',
        ...Array.from({ length: appended }, (_, i) => `late-${String(i).padStart(2, '0')}`),
        'c',
      ].join(' ')
    await projectOnceWith(workspace, LATER)
    expect(await seen(workspace)).toBe(expected().replace(/ c$/, ''))
    await replay(workspace)
    expect(rows(workspace)).toBe(expected())
    // The next runs take it up; the late writer is gone by now.
    closeSync(writer)
    for (let again = 0; again < 2; again++) {
      await archiveWith(workspace, AT_ONCE)
      await projectOnceWith(workspace, LATER)
    }
    expect(files(workspace)).toEqual([`${DAY}.gz`, NEXT_DAY])
    expect(rows(workspace)).toBe(expected())
    await replay(workspace)
    expect(rows(workspace)).toBe(expected())
    expect(readManifest(workspace.journal).problems).toEqual([])
  })
})

test('a run that was killed between recording and naming an archive with a late line is taken up by the next', async ({
  workspace,
}) => {
  await twoDays(workspace)
  const writer = openSync(join(workspace.journal, DAY), 'a')
  let recorded = 0
  const onStep = (step: string) => {
    if (step === 'left') writeSync(writer, lines(requestLine('late')))
    // The entry fits the plain file by now, and the archive is still the one before.
    if (step === 'recorded' && ++recorded === 2) throw new Error('killed')
  }
  await expect(archiveWith(workspace, { noticeMs: 1, onStep })).rejects.toThrow('killed')
  closeSync(writer)
  expect(await archiveWith(workspace, AT_ONCE)).toMatchObject({ archived: [{ segment: DAY }] })
  expect(await seen(workspace)).toBe('a b late')
  await projectOnceWith(workspace, LATER)
  expect(rows(workspace)).toBe('a b c late')
})

describe('while the plain file is still there, the next run', () => {
  /** Kills a run once it has renamed the plain file. */
  async function kill(workspace: Workspace): Promise<void> {
    const onStep = (step: string) => {
      if (step === 'left') throw new Error('killed')
    }
    await expect(archiveWith(workspace, { noticeMs: 1, onStep })).rejects.toThrow('killed')
  }

  test('makes an archive anew that was damaged meanwhile', async ({ workspace }) => {
    await twoDays(workspace)
    const plain = workspace.readSegment(DAY)
    const archive = join(workspace.journal, `${DAY}.gz`)
    await kill(workspace)
    writeFileSync(archive, readFileSync(archive).fill('x', 20, 30))
    expect(await archiveWith(workspace, AT_ONCE)).toMatchObject({ archived: [{ segment: DAY }] })
    expect(files(workspace)).toEqual([`${DAY}.gz`, NEXT_DAY])
    expect(gunzipSync(readFileSync(archive))).toEqual(plain)
  })

  test('ends a line that a late writer left unfinished, so that it is rejected', async ({ workspace }) => {
    await twoDays(workspace)
    const writer = openSync(join(workspace.journal, DAY), 'a')
    await kill(workspace)
    writeSync(writer, '{"frag')
    closeSync(writer)
    await archiveWith(workspace, AT_ONCE)
    expect(files(workspace)).toEqual([`${DAY}.gz`, NEXT_DAY])
    expect(await projectOnceWith(workspace, LATER)).toMatchObject({ projected: 0, rejected: 1 })
  })
})

/** The requests of the first segment, as readers find them. */
async function seen({ journal }: Workspace): Promise<string> {
  const [segment] = listSegments(journal)
  if (segment === undefined) throw new Error('no segment')
  const source = openSegment(journal, segment)
  const ids: string[] = []
  try {
    for (let chunk = await source.read(); chunk !== null; chunk = await source.read()) {
      for (const { bytes } of chunk.lines) {
        const id = /"correlation_id":"([^"]+)"/.exec(String(bytes))?.[1]
        if (id !== undefined) ids.push(id)
      }
    }
  } finally {
    source.close()
  }
  return ids.join(' ')
}

test('a projector at work goes on while its segments are archived', async ({ workspace }) => {
  await twoDays(workspace)
  const projector = await startProjector(workspace)
  let stopped: unknown
  projector.finished.catch((error) => {
    stopped = error
  })
  const writer = openSync(join(workspace.journal, DAY), 'a')
  const onStep = (step: string) => {
    if (step === 'left') writeSync(writer, lines(requestLine('late')))
  }
  await archiveWith(workspace, { noticeMs: 50, onStep })
  closeSync(writer)
  writeSegment(workspace.journal, lines(requestLine('d')), '2026-11-24.ndjson')
  await expect.poll(() => rows(workspace), { timeout: 10_000 }).toContain('d')
  await projector.stop()
  expect(stopped).toBeUndefined()
  expect(rows(workspace).split(' ').sort().join(' ')).toBe('a b c d late')
})
