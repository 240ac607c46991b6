import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect } from 'vitest'
import { openJournal } from '../../../src/index.js'
import { archiveWith } from '../../../src/maintenance/archive.js'
import { type Projector, startProjector } from '../../../src/projection/index.js'
import { projectOnceWith } from '../../../src/projection/projector.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { runHere } from '../../support/command.js'
import { ask, findFleetDifferences } from '../../support/fleet-checker.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { requestLog, test, type Workspace } from '../../support/workspace.js'

const schema = `moving_${randomUUID().replaceAll('-', '')}`
let address = ''

/** A gateway that goes on logging, whatever is done to the databases. */
class Gateway {
  appended = 0
  readonly #journal: ReturnType<typeof openJournal>
  readonly #timer: NodeJS.Timeout

  constructor(directory: string) {
    this.#journal = openJournal({ directory })
    this.#timer = setInterval(() => this.#log(), 2)
  }

  #log(): void {
    const id = randomUUID()
    const streaming = this.appended % 3 === 0
    this.#journal.append(requestLog({ correlation_id: id, streaming, cost_sats: 0.1, provider: 'openai' }))
    if (streaming)
      this.#journal.append({ type: 'stream_completed', correlation_id: id, success: true } as never)
    this.appended++
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#journal.close()
  }
}

describe.skipIf(noPostgres !== null)(
  `moving to a fleet${noPostgres === null ? '' : ` (${noPostgres})`}`,
  () => {
    beforeAll(async () => {
      address = await sharedPostgres()
      await migratePostgres(postgresAddress(address), schema, { monthsAhead: 1 })
    })

    test('a running host moves from a file to PostgreSQL, and no request is lost or doubled', async ({
      workspace,
    }) => {
      const { journal, database } = workspace
      const ofFile = ['--db', database]
      const ofFleet = ['--db', address, '--schema', schema]
      await twoOldDays(workspace)
      const gateway = new Gateway(journal)
      const projectors: Projector[] = []
      try {
        projectors.push(await startProjector({ journal, database }))
        await until(() => gateway.appended > 100)

        // The second projector reads the same journal from its first line, while the first one goes on.
        projectors.push(await startProjector({ journal, database: address, schema }))
        await untilVisible(() => rowsOf(address), gateway.appended)
        const [inFile, inFleet] = [
          await runHere(['verify', '--journal', journal, ...ofFile, '--json']),
          await runHere(['verify', '--journal', journal, ...ofFleet, '--json']),
        ]
        expect(inFile).toMatchObject({ status: 0, json: { ok: true } })
        expect(inFleet).toMatchObject({ status: 0, json: { ok: true } })

        // What both have by now must be the same, to the last digit.
        const before = new Date().toISOString()
        await untilVisible(() => rowsOf(address), gateway.appended)
        await untilVisible(
          async () => Number(workspace.query('SELECT count(*) AS n FROM requests')[0]?.['n']),
          gateway.appended,
        )
        for (const group of ['model', 'tier', 'provider']) {
          const asked = ['stats', '--since', '2026-01-01', '--before', before, '--group-by', group, '--json']
          const answers = [await runHere([...asked, ...ofFile]), await runHere([...asked, ...ofFleet])]
          expect(answers[0]?.json).toMatchObject({ counts: { total: expect.any(Number) } })
          expect(answers[1]?.json).toEqual(answers[0]?.json)
        }

        // The switch: the file's projector ends, and nothing else changes.
        await projectors.shift()?.stop()
        const atSwitch = gateway.appended
        await until(() => gateway.appended > atSwitch + 100)
        await gateway.stop()
        await untilVisible(() => rowsOf(address), gateway.appended)
        await projectors.shift()?.stop()
        const told = await runHere(['verify', '--journal', journal, ...ofFleet, '--json'])
        expect(told).toMatchObject({
          status: 0,
          json: { ok: true, pending: 0, rows: gateway.appended + OLD_ROWS },
        })
        const distinct = 'SELECT count(DISTINCT correlation_id)::int AS n FROM'
        expect((await ask(address, `${distinct} ${schema}.requests`))[0]?.['n']).toBe(
          gateway.appended + OLD_ROWS,
        )

        // The file can be caught up at any time, for the way back.
        await projectOnceWith({ journal, database }, Date)
        expect(await runHere(['verify', '--journal', journal, ...ofFile])).toMatchObject({ status: 0 })
      } finally {
        await gateway.stop()
        for (const projector of projectors) await projector.stop()
      }
      // The checker reads plain files only.
      execFileSync('gunzip', [join(journal, '2026-11-20.ndjson.gz')])
      expect(await findFleetDifferences({ address, schema, journal })).toEqual([])
    })
  },
)

const OLD_ROWS = 3

/** Days from before, one of them archived, with a completion that waits. */
async function twoOldDays({ journal, database }: Workspace): Promise<void> {
  const request = requestLine('old-1', { labels: { tier: 'gold' }, cost_sats: 0.25, streaming: true })
  writeSegment(journal, lines(request, requestLine('old-2')), '2026-11-20.ndjson')
  writeSegment(
    journal,
    lines(completionLine('old-1', { success: true }), requestLine('old-3')),
    '2026-11-21.ndjson',
  )
  await projectOnceWith({ journal, database }, Date)
  await archiveWith({ journal, database }, { noticeMs: 1, onStep() {} })
}

async function rowsOf(address: string): Promise<number> {
  const [row] = await ask(address, `SELECT count(*)::int AS n FROM ${schema}.requests`)
  return Number(row?.['n'])
}

async function untilVisible(rows: () => Promise<number>, count: number): Promise<void> {
  while ((await rows()) < count + OLD_ROWS) await sleep(20)
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5)
}
