import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Journal, openJournalWith } from '../../src/journal/append/journal.js'
import { nodeFileSystem } from '../../src/journal/file-system.js'
import { postgresAddress } from '../../src/store/postgres/connection/address.js'
import { migratePostgres } from '../../src/store/postgres/schema/migrations.js'
import { ask, findFleetDifferences } from '../support/fleet-checker.js'
import { type Place, type Round, survived, type Verdict, wrong } from './fault.js'
import { command, ProjectorHere, type Running } from './program.js'

/** How much is done in a round. */
export interface Scale {
  hosts: number
  /** How many requests each host appends. */
  events: number
  /** How many faults are put in. */
  faults: number
}

/** @param faults how many faults are put in at the full count, and in `npm test`. */
export function scaleOf(round: Round, faults: { all: number; short: number }): Scale {
  if (round.extent === 'exhaustive') return { hosts: 8, events: 20_000, faults: faults.all }
  if (round.isShort) return { hosts: 2, events: 240, faults: faults.short }
  return { hosts: 4, events: 2000, faults: Math.ceil(faults.all / 10) }
}

/** A host with its journal. */
export class Host {
  readonly journal: string
  /** The ids of its requests, in order. */
  readonly promised: string[] = []
  /** How long each append took, in milliseconds. */
  readonly latencies: number[] = []
  /** What its clock says; null: the time. */
  clockMs: number | null = null
  readonly #name: string
  #appended = 0
  #writer: Journal | null = null

  constructor(directory: string, name: string) {
    this.#name = name
    this.journal = join(directory, name)
  }

  /** Appends requests, every third of which is a stream that is completed at once. */
  append(count: number, fields: Record<string, unknown> = {}): void {
    const clock = { now: () => this.clockMs ?? Date.now() }
    this.#writer ??= openJournalWith({ directory: this.journal }, { fs: nodeFileSystem, clock })
    for (let n = 0; n < count; n++) {
      const correlation_id = `${this.#name}-${this.#appended}`
      const streaming = this.#appended++ % 3 === 0
      const startedAt = performance.now()
      this.#writer.append({ ...REQUEST, correlation_id, streaming, ...fields })
      this.latencies.push(performance.now() - startedAt)
      if (streaming) this.#writer.append({ type: 'stream_completed', correlation_id, ...OUTCOME })
      this.promised.push(correlation_id)
    }
  }

  /** Forgets the promises of requests that a lost disk took with it. */
  forgetLost(): void {
    const kept = segmentsOf(this.journal)
      .map((path) => readFileSync(path, 'utf8'))
      .join('')
    const ids = new Set(
      [...kept.matchAll(/"type":"request_logged".*?"correlation_id":"([^"]*)"/g)].map(([, id]) => id),
    )
    this.promised.splice(0, Infinity, ...this.promised.filter((id) => ids.has(id)))
  }

  /** Closes the journal; the next append opens it again. */
  async close(): Promise<void> {
    await this.#writer?.close()
    this.#writer = null
  }
}

const OUTCOME = {
  ...{ success: true, input_tokens: 10, output_tokens: 7, stream_duration_ms: 5 },
  ...{ cost_sats: 1, provider_cost_sats: null, error_status: null, error_message: null },
}
const REQUEST = {
  model: 'm',
  policy: 'chat',
  input_tokens: 10,
  output_tokens: 5,
  latency_ms: 1,
  success: true,
}

interface FleetOptions {
  hosts: number
  /** Whether projectors run in this process. @default false */
  isHere?: boolean
  /** The server, for what the test asks it. */
  address: string
  /** @default a month ahead */
  monthsAhead?: number
}

/** Hosts that project into one schema, which is made for them. */
export class Fleet {
  readonly hosts: readonly Host[]
  readonly schema = `fleet_${randomUUID().replaceAll('-', '')}`
  /** The server, for what the test asks it. */
  address: string
  /** The server, for projectors. */
  database: string
  readonly #place: Place
  readonly #isHere: boolean

  static async start(place: Place, options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(place, options)
    await fleet.migrate(options.monthsAhead)
    return fleet
  }

  /** As an operator's `migrate` does: new partitions take the rows of their months from the others. */
  async migrate(monthsAhead = 1): Promise<void> {
    await migratePostgres(postgresAddress(this.address), this.schema, { monthsAhead })
  }

  private constructor(place: Place, { hosts, address, isHere = false }: FleetOptions) {
    this.#place = place
    this.#isHere = isHere
    this.address = address
    this.database = address
    this.hosts = Array.from({ length: hosts }, (_, n) => new Host(place.directory, `host${n}`))
  }

  /** A projector of a host, as its users run it unless it runs here. */
  startProjector({ journal }: Host): Running {
    const { database, schema } = this
    if (this.#isHere) return this.#place.keep(new ProjectorHere({ journal, database, schema }))
    const args = ['--journal', journal, '--db', this.database, '--schema', this.schema]
    return this.#place.keep(command(['project', ...args]))
  }

  async ask(sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return await ask(this.address, sql.replaceAll('{schema}', this.schema), values)
  }

  /** How many bytes of all journals are projected. */
  async projectedBytes(): Promise<number> {
    const sql = 'SELECT coalesce(sum(projected_bytes), 0)::float AS bytes FROM {schema}.journal_segments'
    return Number((await this.ask(sql))[0]?.['bytes'])
  }

  /** Resolves when something more has been projected than before. */
  async untilBeyond(bytes: number, programs: readonly Running[]): Promise<void> {
    while ((await this.projectedBytes()) <= bytes) await this.#rest(programs)
  }

  /** Resolves when all journals are projected to their ends. @throws Error if a projector has ended. */
  async untilComplete(programs: () => readonly Running[]): Promise<void> {
    const bytes = this.hosts.reduce((sum, { journal }) => sum + bytesOf(journal), 0)
    while ((await this.projectedBytes()) < bytes) await this.#rest(programs())
  }

  /** Compares every row of every host with what was promised, and with its journal. */
  async verdict(): Promise<Verdict> {
    const verdict = survived()
    for (const { journal, promised } of this.hosts) {
      verdict.wrong.push(...(await this.#differences(journal)))
      const rows = await this.ask(
        `SELECT correlation_id AS id, count(*)::int AS n FROM {schema}.requests r
         JOIN {schema}.journals j ON j.number = r.journal WHERE j.journal_id = $1 GROUP BY 1`,
        [journalId(journal)],
      )
      const found = new Map(rows.map(({ id, n }) => [id, Number(n)]))
      verdict.lost.push(...promised.filter((id) => !found.has(id)))
      verdict.doubled.push(...[...found].filter(([, n]) => n > 1).map(([id, n]) => `${id} ${n} times`))
    }
    const all = this.hosts.reduce((sum, { promised }) => sum + promised.length, 0)
    const [row] = await this.ask('SELECT count(*)::int AS n FROM {schema}.requests')
    if (row?.['n'] !== all) verdict.wrong.push(`${row?.['n']} rows, expected ${all}`)
    return verdict
  }

  async remove(): Promise<void> {
    await this.ask('DROP SCHEMA IF EXISTS {schema} CASCADE')
  }

  async close(): Promise<void> {
    for (const host of this.hosts) await host.close()
  }

  async #differences(journal: string): Promise<string[]> {
    return await findFleetDifferences({ address: this.address, schema: this.schema, journal })
  }

  async #rest(programs: readonly Running[]): Promise<void> {
    const ended = programs.find(({ isGone }) => isGone)
    if (ended !== undefined) throw new Error(`a projector ended: ${ended.stderr.slice(-1000)}`)
    // Each look is a session of its own, which costs the server more than a projector's batch.
    await sleep(50)
  }
}

function segmentsOf(journal: string): string[] {
  return readdirSync(journal)
    .filter((name) => name.endsWith('.ndjson'))
    .map((name) => join(journal, name))
}

function bytesOf(journal: string): number {
  return segmentsOf(journal).reduce((sum, path) => sum + statSync(path).size, 0)
}

export function journalId(journal: string): string {
  return JSON.parse(readFileSync(join(journal, 'journal.json'), 'utf8')).journal_id
}

/** Ends programs that follow; one that doesn't end well is wrong. */
export async function endAll(programs: readonly Running[]): Promise<Verdict> {
  const statuses = await Promise.all(programs.map((program) => program.end()))
  const failed = programs.filter((_, n) => statuses[n] !== 0)
  return failed.length === 0 ? survived() : wrong(...failed.map(({ stderr }) => stderr.slice(-500)))
}
