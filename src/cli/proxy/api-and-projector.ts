import type { Logger } from 'pino'
import type { ProxyFlags } from '../proxy.js'
import { programName } from '../run/program-name.js'

/** What runs beside a proxy in its process. */
export interface ApiAndProjector {
  /** The address of API and dashboard; null without them. */
  readonly url: string | null
  close(): Promise<void>
}

/**
 * Starts the projector for `--project`, and for `--serve` the API and the dashboard with it. If the
 * projector has to stop for good, that is logged and the proxy continues: requests are still
 * appended to the journal, from which a projector catches up later.
 */
export async function startApiAndProjector(
  flags: ProxyFlags,
  token: string | undefined,
  logger: Logger,
): Promise<ApiAndProjector> {
  const { journal, database, schema, rollupLabels, allowedHosts } = flags
  const projected = { journal, database, schema, rollupLabels }
  if (flags.serve) {
    const { startServer } = await import('../../server/index.js')
    // Without a token anyone who may use an open proxy could read what all others have asked.
    const host = token === undefined ? '127.0.0.1' : flags.host
    const place = { host, port: flags.servePort, allowedHosts, token }
    const options = { ...projected, ...place, project: true, logger, program: programName() }
    const server = await startServer(options)
    tellFailure(server.finished, logger)
    return server
  }
  if (flags.project) {
    const { ProjectorThread } = await import('../../server/projector/projector-thread.js')
    const projector = await ProjectorThread.start(projected, logger)
    tellFailure(projector.finished, logger)
    return { url: null, close: () => projector.stop() }
  }
  return { url: null, close: async () => {} }
}

function tellFailure(finished: Promise<void>, logger: Logger): void {
  finished.catch((error) => {
    logger.error({ err: error }, "The projector can't continue; requests are still forwarded and logged")
    process.exitCode = 1
  })
}
