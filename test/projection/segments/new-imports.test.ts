import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { listSegments, type Segment, stagedImport } from '../../../src/journal/segments.js'
import { segmentsBeforeNewImport } from '../../../src/projection/segments/new-imports.js'
import { writeSegment } from '../../support/journal-files.js'
import { test } from '../../support/workspace.js'

const [FIRST, IMPORTED, LAST] = [
  '2026-11-22.ndjson',
  '2026-11-22_002.ndjson',
  '2026-11-22_003.ndjson',
] as const

test('a segment that an import is just adding holds back itself and all after it, until it is recorded or read', ({
  workspace,
}) => {
  const { journal } = workspace
  writeSegment(journal, '', FIRST)
  writeFileSync(join(journal, `${IMPORTED}.gz`), '')
  writeSegment(journal, '', LAST)
  const names = (known: { projected?: string; recorded?: string }) =>
    segmentsBeforeNewImport(journal, listSegments(journal), {
      isProjected: ({ name }: Segment) => name === known.projected,
      isRecorded: ({ name }: Segment) => name === known.recorded,
    }).map(({ name }) => name)
  const staged = join(journal, stagedImport('0123'))
  expect(names({})).toEqual([FIRST, IMPORTED, LAST])
  mkdirSync(staged)
  expect(names({})).toEqual([FIRST])
  expect(names({ projected: LAST })).toEqual([FIRST])
  expect(names({ recorded: IMPORTED })).toEqual([FIRST, IMPORTED, LAST])
  expect(names({ projected: IMPORTED })).toEqual([FIRST, IMPORTED, LAST])
  rmdirSync(staged)
  expect(names({})).toEqual([FIRST, IMPORTED, LAST])
})
