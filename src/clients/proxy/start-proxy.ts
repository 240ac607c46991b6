import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent } from 'undici'
import { checkJournal, type ExchangeJournal } from '../exchange.js'
import { ProxyError } from './errors.js'
import { type ProxyOptions, type ResolvedOptions, resolveOptions } from './options.js'
import { RequestHandler } from './request-handler.js'

/** An upstream of a running proxy. */
export interface ProxiedUpstream {
  /** The name that its requests are logged with. */
  readonly provider: string
  /** What clients use instead of the upstream's URL: the proxy's URL with the upstream's prefix. */
  readonly url: string
  /** The upstream's URL. */
  readonly target: string
}

/** A proxy that has started. */
export interface RunningProxy {
  /** Its address, with which clients' base URLs begin: `http://127.0.0.1:8791`. */
  readonly url: string
  readonly upstreams: readonly ProxiedUpstream[]
  /**
   * Takes no more requests, waits at most `graceMs` until those that are under way are answered,
   * and cuts off the rest. Once it resolves, everything that is logged is in the journal. A second
   * call waits for the first.
   */
  close(): Promise<void>
}

/** How long an idle connection of a client is kept: longer than most load balancers keep theirs. */
const KEEP_ALIVE_MS = 65_000
/** How long a request may take to arrive: enough for a large file over a slow line. */
const REQUEST_MS = 3_600_000

/**
 * Starts a reverse proxy that passes requests on to providers and logs them. Clients can be in any
 * language, and change only their base URL. Keys, requests and answers are passed on byte for byte
 * as they come, except for what `includeUsage` adds and removes. Keys, prompts and answers are
 * neither kept nor logged.
 *
 * @param journal takes the events. It stays open when the proxy closes.
 * @throws TypeError if `journal` isn't a journal, or for an unknown option or a value out of range.
 * @throws ProxyError TOKEN_REQUIRED, TOKEN_INVALID, UPSTREAM_INVALID, ADDRESS_UNAVAILABLE.
 */
export async function startProxy(journal: ExchangeJournal, options: ProxyOptions): Promise<RunningProxy> {
  checkJournal(journal, 'startProxy')
  const resolved = resolveOptions(options)
  // No time limits: clients know how long they are willing to wait, and close their connections.
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 })
  const handler = new RequestHandler(journal, resolved, agent)
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS },
    (request, response) => {
      response.on('close', () => {
        // A connection that was busy when the server closed may be idle now.
        if (handler.isStopping) server.closeIdleConnections()
      })
      void handler.handle(request, response)
    },
  )
  await listen(server, resolved)
  let closing: Promise<void> | undefined
  const close = async () => {
    handler.isStopping = true
    const closed = new Promise((resolve) => server.close(resolve))
    const cutOff = setTimeout(() => {
      handler.isCuttingOff = true
      server.closeAllConnections()
    }, resolved.graceMs)
    await closed
    clearTimeout(cutOff)
    await agent.destroy()
  }
  const url = urlOf(server, resolved.host)
  return {
    url,
    upstreams: resolved.upstreams.map(({ provider, prefix, origin, basePath }) => {
      return { provider, url: `${url}${prefix}`, target: `${origin}${basePath}` }
    }),
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

function listen(server: Server, { host, port }: ResolvedOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE'
          ? 'something listens there already; stop it, or choose another port with --port'
          : `this machine can't listen on it (${error.code}); choose another with --host and --port`
      reject(new ProxyError('ADDRESS_UNAVAILABLE', `${host}:${port}: ${reason}`, { cause: error }))
    })
    server.listen({ host, port }, resolve)
  })
}

/** The URL of the server, with an address that can be connected to even if it listens on all. */
function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo
  const isAny = host === '0.0.0.0' || host === '::'
  const name = isAny ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}
