import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { archiveWith } from '../../src/maintenance/archive.js'
import { doctor } from '../../src/maintenance/doctor/doctor.js'
import { status } from '../../src/maintenance/status.js'
import { verify } from '../../src/maintenance/verify/verify.js'
import { projectOnce, replay } from '../../src/projection/index.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

const OLD = '2024-11-20.ndjson'

/** Which of those who look at archives are content with this one. */
async function verdicts(workspace: Workspace): Promise<Record<string, boolean>> {
  const isDone = (run: Promise<unknown>) =>
    run.then(
      () => true,
      () => false,
    )
  const { checks } = await doctor(workspace)
  return {
    doctor: checks.every(({ check, level }) => check !== 'archives' || level !== 'problem'),
    status: (await status(workspace)).problems.length === 0,
    verify: (await verify(workspace)).ok,
    project: await isDone(projectOnce(workspace)),
    projectAnew: await isDone(projectOnce({ ...workspace, database: `${workspace.database}.new` })),
    replay: await isDone(replay(workspace)),
  }
}

const ALL = { doctor: true, status: true, verify: true, project: true, projectAnew: true, replay: true }
const NONE = {
  doctor: false,
  status: false,
  verify: false,
  project: false,
  projectAnew: false,
  replay: false,
}

const CASES: [string, (bytes: Buffer) => Buffer, typeof ALL][] = [
  ['as it was written is accepted by all', (bytes) => bytes, ALL],
  ['compressed anew is accepted by all', (bytes) => gzipSync(gunzipSync(bytes), { level: 1 }), ALL],
  [
    'with another line in place of one is refused by all',
    (bytes) => gzipSync(gunzipSync(bytes).toString().replace('"latency_ms":100', '"latency_ms":1000')),
    NONE,
  ],
  ['cut off is refused by all', (bytes) => bytes.subarray(0, bytes.length - 20), NONE],
  [
    // Nothing reads it where it was projected and its size is right, unless asked for: a new database has to.
    'with another byte of the same size is found by whoever reads it',
    (bytes) => {
      const changed = Buffer.from(bytes)
      const at = changed.length - 30
      changed[at] = (changed[at] ?? 0) ^ 1
      return changed
    },
    { ...NONE, status: true, project: true },
  ],
  [
    'of the same size that holds other lines is found by whoever reads it',
    (bytes) => otherLines(gunzipSync(bytes), bytes.length),
    { ...NONE, status: true, project: true },
  ],
]

/** Other ids, which pack better, and a comment in the header that makes up for the difference in size. */
function otherLines(plain: Buffer, size: number): Buffer {
  const changed = plain.toString().replace(/"correlation_id":"\d+"/g, (text) => text.replace(/\d/g, '0'))
  const packed = gzipSync(changed, { level: 9 })
  const missing = size - packed.length - 1
  if (missing < 0) throw new Error('expected an archive that leaves room for a comment')
  packed[3] = 0x10
  return Buffer.concat([
    packed.subarray(0, 10),
    Buffer.alloc(missing, 'x'),
    Buffer.alloc(1),
    packed.subarray(10),
  ])
}

test.for(CASES)('an archive %s', async ([, change, expected], { workspace }) => {
  workspace.expectDamage()
  const content = Array.from({ length: 50 }, (_, i) => requestLine(`${i}`))
  writeSegment(workspace.journal, lines(...content), OLD)
  writeSegment(workspace.journal, lines(requestLine('b')))
  await projectOnce(workspace)
  await archiveWith(workspace, { noticeMs: 1, onStep() {} })
  const path = join(workspace.journal, `${OLD}.gz`)
  writeFileSync(path, change(readFileSync(path)))
  expect(await verdicts(workspace)).toEqual(expected)
})
