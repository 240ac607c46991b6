import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { EventInput } from '../../../src/index.js'
import { readIdentity } from '../../../src/journal/journal-identity.js'
import { projectOnce } from '../../../src/projection/index.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { Connection } from '../../../src/store/postgres/connection/connection.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { append, type Place } from '../support.js'

/** A schema of PostgreSQL that several hosts project into. */
export class TestFleet {
  readonly address: string
  readonly schema = `server_${randomUUID().replaceAll('-', '')}`

  static async make(address: string): Promise<TestFleet> {
    const fleet = new TestFleet(address)
    await migratePostgres(postgresAddress(address), fleet.schema, { monthsAhead: 1 })
    return fleet
  }

  private constructor(address: string) {
    this.address = address
  }

  /** Appends events to a host's journal, which is made if it has to be, and projects them. */
  async log(place: Place, host: string, events: readonly EventInput[]): Promise<void> {
    const journal = this.journalOf(place, host)
    await append(journal, events)
    await projectOnce({ journal, database: this.address, schema: this.schema })
    // All of these hosts are this machine.
    await this.run('UPDATE journals SET host = $1 WHERE journal_id = $2', [
      host,
      readIdentity(journal).journal_id,
    ])
  }

  journalOf({ directory }: Place, host: string): string {
    return join(directory, `journal-${host}`)
  }

  /** Changes something as the owner of the schema. */
  async run(sql: string, values: readonly string[] = []): Promise<void> {
    const connection = await this.connect()
    await connection.transaction(() => connection.run(sql, ...values))
    await connection.close()
  }

  async connect(): Promise<Connection> {
    return await Connection.open({
      address: postgresAddress(this.address),
      schema: this.schema,
      purpose: 'test',
    })
  }
}
