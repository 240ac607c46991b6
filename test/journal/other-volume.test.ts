import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { openJournal } from '../../src/index.js'
import { doctor } from '../../src/maintenance/doctor/doctor.js'
import { projectOnce } from '../../src/projection/index.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { canMountVolumes, makeVolumes } from '../support/mounts.js'
import { test as base, requestLog, type Workspace } from '../support/workspace.js'

interface Mounted {
  workspace: Workspace
  /** Mounted first, with the journal on it. */
  volumes: ReturnType<typeof makeVolumes>
  /** The journal on the volume that is mounted. */
  journal: string
}

const test = base.extend<{ mounted: Mounted }>({
  mounted: async ({ workspace }, use) => {
    const volumes = makeVolumes(workspace.directory)
    try {
      await use({ workspace, volumes, journal: join(volumes.directory, 'journal') })
    } finally {
      volumes.unmountAll()
    }
  },
})

const inodeOf = (path: string) => statSync(path).ino

describe.skipIf(!canMountVolumes)(
  'another volume over the journal (needs root, mkfs.ext4, loop devices)',
  () => {
    test('with the same inode numbers is noticed by a writer, which says how many events it may hide', async ({
      mounted: { volumes, journal },
    }) => {
      const segment = join(journal, `${new Date().toISOString().slice(0, 10)}.ndjson`)
      const errors: object[] = []
      const logger = { warn() {}, error: (fields: object) => errors.push(fields) }
      volumes.mount('b')
      const other = openJournal({ directory: journal })
      other.append(requestLog())
      await other.close()
      const [otherInode, otherSize] = [inodeOf(segment), statSync(segment).size]
      volumes.unmount()
      volumes.mount('a')
      const writer = openJournal({ directory: journal, logger })
      writer.append(requestLog())
      await writer.flush()
      expect(inodeOf(segment)).toBe(otherInode)
      volumes.mount('b')
      for (let i = 0; i < 68; i++) writer.record(requestLog())
      await expect(writer.close()).rejects.toMatchObject({ code: 'SEGMENT_LOST' })
      expect(errors[0]).toMatchObject({ unflushed_events: 68 })
      expect(writer.counters).toMatchObject({ appended: 69, dropped: 68 })
      expect(statSync(segment).size).toBe(otherSize)
      volumes.unmount()
      // The one that was written to is back: so is everything in it.
      writer.record(requestLog())
      await writer.close()
      expect(writer.counters).toMatchObject({ appended: 70, dropped: 0 })
      expect(readFileSync(segment, 'utf8').split('\n')).toHaveLength(71)
    })

    test('with a copy of it is read on, and with other bytes it stops the projector and doctor', async ({
      mounted: { workspace, volumes, journal },
    }) => {
      const options = { ...workspace, journal }
      const content = lines(requestLine('a'), requestLine('b'))
      workspace.expectDamage()
      volumes.mount('a')
      writeSegment(journal, content, DAY)
      const inode = inodeOf(join(journal, DAY))
      await projectOnce(options)
      const device = () => workspace.query('SELECT device FROM journal_segments')[0]?.['device']
      const before = device()
      volumes.mount('b')
      writeSegment(journal, content, DAY)
      expect(inodeOf(join(journal, DAY))).toBe(inode)
      expect(await projectOnce(options)).toMatchObject({ projected: 0 })
      expect(device()).not.toBe(before)
      // The same length and the same last line: only the device tells, and then the bytes.
      volumes.unmount()
      expect(await projectOnce(options)).toMatchObject({ projected: 0 })
      volumes.mount('b')
      writeFileSync(join(journal, DAY), lines(requestLine('a', { latency_ms: 101 }), requestLine('b')))
      expect(inodeOf(join(journal, DAY))).toBe(inode)
      await expect(projectOnce(options)).rejects.toMatchObject({ code: 'SEGMENT_REPLACED' })
      const { checks } = await doctor({ journal, database: workspace.database })
      expect(checks.find(({ check }) => check === 'positions')).toMatchObject({ level: 'problem' })
    })
  },
)
