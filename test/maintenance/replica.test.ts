import { setTimeout } from 'node:timers/promises'
import { expect } from 'vitest'
import { doctor, status } from '../../src/maintenance/index.js'
import { startProjector } from '../../src/projection/index.js'
import { DEFAULT_SCHEMA, postgresAddress } from '../../src/store/postgres/connection/address.js'
import { migratePostgres } from '../../src/store/postgres/schema/migrations.js'
import { runHere } from '../support/command.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { noPostgres, PostgresServer } from '../support/postgres.js'
import { test } from '../support/workspace.js'

test.skipIf(noPostgres !== null)(
  "status and doctor say of a replica that it doesn't know whether the projector runs",
  async ({ workspace }) => {
    const { journal } = workspace
    writeSegment(journal, lines(requestLine('a')))
    const primary = await PostgresServer.start()
    try {
      await migratePostgres(postgresAddress(primary.address()), DEFAULT_SCHEMA, { monthsAhead: 0 })
      const projector = await startProjector({ journal, database: primary.address() })
      const replica = await primary.startReplica(primary.port)
      try {
        const database = replica.address()
        while ((await status({ journal, database })).database?.requests !== 1) await setTimeout(20)
        expect((await status({ journal, database })).database?.projector_running).toBeNull()
        const shown = await runHere(['status', '--journal', journal, '--db', database])
        expect(shown.stdout).toMatch(/^projector unknown$/m)
        const { checks } = await doctor({ journal, database })
        expect(checks).toContainEqual(
          expect.objectContaining({
            check: 'projector',
            level: 'ok',
            found: expect.stringContaining('replica'),
          }),
        )
      } finally {
        await projector.stop()
        replica.remove()
      }
    } finally {
      primary.remove()
    }
  },
)
