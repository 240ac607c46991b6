import { type Server, startServer } from '../../../src/server/index.js'

/**
 * What `serve --project` runs, on a journal and a database; test/server/serve-command.test.ts has
 * the command itself.
 */
export class Service {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = server.url
  }

  /** @param port 0: a free one. */
  static async start(
    files: { journal: string; database: string },
    port = 0,
    token?: string,
  ): Promise<Service> {
    const { journal, database } = files
    return new Service(await startServer({ journal, database, port, project: true, token, queryThreads: 1 }))
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  /** The second time too. */
  async stop(): Promise<void> {
    await this.#server.close()
  }
}
