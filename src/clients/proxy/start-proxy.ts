import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent } from 'undici'
import { ProxyError } from '../errors.js'
import { checkJournal, type ExchangeJournal } from '../exchange.js'
import { type ProxyOptions, type ResolvedOptions, resolveOptions } from './options.js'
import { RequestHandler } from './request-handler.js'

/** Where a proxy passes requests on to. */
export interface ProxiedUpstream {
  /** The name that its requests are logged with. */
  readonly provider: string
  /** What clients have in place of the upstream's URL: the proxy's with the prefix. */
  readonly url: string
  /** The upstream's URL. */
  readonly target: string
}

/** A proxy at work. */
export interface RunningProxy {
  /** Its address, which clients have in their base URL: `http://127.0.0.1:8791`. */
  readonly url: string
  readonly upstreams: readonly ProxiedUpstream[]
  /**
   * Takes no more requests, lets answers that have begun end, for `graceMs` at most, and cuts off
   * the rest. What is logged is in the journal then. A second call waits for the same.
   */
  close(): Promise<void>
}

/** Idle connections of clients are kept as long as most load balancers keep theirs. */
const KEEP_ALIVE_MS = 65_000
/** The longest that a request may take to come: a large file over a slow line. */
const REQUEST_MS = 3_600_000

/**
 * Starts a reverse proxy that passes requests on to providers and logs them: for clients in any
 * language, which change nothing but their base URL. Keys, requests and answers pass byte for byte,
 * in both directions as they come; nothing of their content is kept or logged.
 *
 * @param journal takes the events. It stays open when the proxy closes.
 * @throws TypeError for no journal, an unknown option or a value out of range.
 * @throws ProxyError TOKEN_REQUIRED, TOKEN_INVALID, UPSTREAM_INVALID, ADDRESS_UNAVAILABLE.
 */
export async function startProxy(journal: ExchangeJournal, options: ProxyOptions): Promise<RunningProxy> {
  checkJournal(journal, 'startProxy')
  const resolved = resolveOptions(options)
  // Clients know how long they are willing to wait, and leave when it is over.
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 })
  const handler = new RequestHandler(journal, resolved, agent)
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS },
    (request, response) => {
      response.on('close', () => {
        // Connections that were busy when the server closed are idle now.
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
    const cutOff = setTimeout(() => server.closeAllConnections(), resolved.graceMs)
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
          ? 'something listens there already'
          : `this machine can't listen on it (${error.code})`
      const text = `${host}:${port}: ${reason}; stop that, or choose another with --port and --host`
      reject(new ProxyError('ADDRESS_UNAVAILABLE', text, { cause: error }))
    })
    server.listen({ host, port }, resolve)
  })
}

/** An address that this machine can reach, although the server may listen on more. */
function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo
  const isAny = host === '0.0.0.0' || host === '::'
  const name = isAny ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}
