import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import swagger from '@fastify/swagger'
import Fastify, { type FastifyReply, type FastifyRequest, type FastifyTypeProvider } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { VERSION } from '../../package/package-files.js'
import { MAX_BODY_BYTES } from '../ingest/posted-events.js'
import type { ServerLogger } from '../options.js'
import { boundRequests, dropBody, hasBody, onDisconnect } from './bounds.js'
import { addCompression } from './compression.js'
import { errorBody, HttpError, internalError } from './errors.js'
import { checkFetchSite, type HostCheck } from './origin-checks.js'
import { queryDecoder } from './query-string.js'
import type { MayAppend, TokenCheck } from './token.js'

/** The only path that accepts a body, if the server accepts events at all. */
export const EVENTS_PATH = '/v1/events'

/** How clients may write that path by mistake. It matches the path itself, too. */
const LIKE_EVENTS_PATH = /^(?:\/v1)?\/events?\/*$/i

/** Longer query strings are answered with 414. */
const MAX_QUERY_LENGTH = 8192
const MAX_HEADER_BYTES = 16 * 1024
/** How long a client may take to send the head of a request, and also the whole request. */
const RECEIVE_MS = 10_000
const KEEP_ALIVE_MS = 30_000
/**
 * The folder in which a proxy serves this server, if the proxy passes on `/journal/v1/stats`
 * without removing the folder. None of our own routes matches.
 */
const FOREIGN_FOLDER =
  /^(?:\/(?!v1\/|assets\/)[^/?]+)+(?=\/(?:(?:v1|assets)\/|(?:healthz|livez|metrics|openapi\.json)?(?:\?|$)))/

/** Routes without a token: a program that watches the service needn't be able to read the log. */
const WITHOUT_TOKEN: ReadonlySet<string> = new Set(['/healthz', '/livez'])

const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  // For answers to questions. The routes of the dashboard's files set a value of their own.
  'cache-control': 'no-store',
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Which events the request's token may append. */
    mayAppend: MayAppend
  }
}

/** Types what a route gets by the TypeBox schema with which it was checked. */
interface TypeBoxProvider extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown
}

export type App = Awaited<ReturnType<typeof createApp>>

export interface AppOptions {
  checkHost: HostCheck
  /** Null if no token is required. */
  tokenCheck: TokenCheck | null
  /** Whether there will be a route that takes events. */
  takesEvents: boolean
  /** How long a request may take, including reading its answer. */
  maxRequestMs: number
  logger: ServerLogger
}

/** Makes an HTTP server without routes, which refuses what no route accepts, and formats errors. */
export async function createApp({ checkHost, tokenCheck, takesEvents, maxRequestMs, logger }: AppOptions) {
  const ownUrl = (url = '') => url.replace(FOREIGN_FOLDER, '')
  const app = Fastify({
    // The route's decoder parses the text. A parameter in a path may be as long as the path.
    routerOptions: { querystringParser: (text) => ({ text }), maxParamLength: MAX_HEADER_BYTES },
    rewriteUrl: ({ url }) => ownUrl(url),
    bodyLimit: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // As an option of `http` it wouldn't work: Fastify would set it to 0 afterwards.
    requestTimeout: RECEIVE_MS,
    // Clients that have asked before the server stops still get their answers.
    return503OnClosing: false,
    http: {
      headersTimeout: RECEIVE_MS,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: MAX_HEADER_BYTES,
      // `checkHost` refuses a request without one instead, with JSON.
      requireHostHeader: false,
    },
    frameworkErrors: (error, _request, reply) => {
      void sendError(reply, new HttpError(400, `Invalid request: ${error.message}`))
    },
    clientErrorHandler: answerUnparsable,
  }).withTypeProvider<TypeBoxProvider>()
  const isPostOfEvents = ({ method, url }: IncomingMessage) =>
    takesEvents && method === 'POST' && pathOf(ownUrl(url)) === EVENTS_PATH
  boundRequests(app.server, maxRequestMs, isPostOfEvents)
  addCompression(app)

  app.setValidatorCompiler(({ schema, httpPart }) => {
    if (httpPart !== 'querystring') return () => true
    const decode = queryDecoder(schema as Parameters<typeof queryDecoder>[0])
    return ({ text }: { text: string }) => {
      try {
        return { value: decode(text) }
      } catch (error) {
        return { error: error as Error }
      }
    }
  })
  // Most answers are JSON text already. A compiled serializer would leave out members that are
  // missing from its schema.
  app.setSerializerCompiler(() => (body) => JSON.stringify(body))

  app.decorateRequest('mayAppend', 'every event')
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS)
    checkHost(request.headers.host, request.raw.httpVersion)
    checkFetchSite(request.headers, request.routeOptions.url ?? '')
    if (!WITHOUT_TOKEN.has(request.routeOptions.url ?? '')) {
      const { method, routeOptions, headers } = request
      // Whoever has a token that only appends is told about a mistake in the path, rather than that
      // the token can't read.
      const asked =
        method === 'POST' && LIKE_EVENTS_PATH.test(routeOptions.url ?? pathOf(request.url))
          ? 'events'
          : 'reading'
      const mayAppend = await tokenCheck?.check(headers.authorization, asked, onDisconnect(reply))
      request.mayAppend = mayAppend ?? 'every event'
    }
    checkForm(request, takesEvents)
  })
  app.addHook('onResponse', async ({ method, url }, reply) => {
    const fields = {
      method,
      url,
      status: reply.statusCode,
      elapsed_ms: Math.round(reply.elapsedTime * 10) / 10,
    }
    logger.debug(fields, 'Answered')
  })
  app.setNotFoundHandler(() => {
    throw new HttpError(404, 'Not found: there is nothing at this path; /openapi.json lists the paths')
  })
  app.setErrorHandler<Error>(async (error, request, reply) => {
    if (error instanceof HttpError) return await sendError(reply, error)
    const refusal = refusalOfBody(error)
    if (refusal !== null) return await sendError(reply, refusal)
    const { method, url } = request
    logger.error({ err: error, method, url }, 'A request could not be answered')
    return await sendError(reply, internalError())
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'request-journal',
        version: VERSION,
        description:
          'The request log of an LLM gateway. An unknown parameter is refused with 400, except by /v1/stats and /v1/requests, ' +
          'which ignore it and say so in `warnings`. A parameter that is given twice is refused with 400. Every route with filters also takes ' +
          '`label:<name>=<value>`, once for each name.',
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          basic: { type: 'http', scheme: 'basic', description: 'The token is the password; any user.' },
        },
      },
      ...(tokenCheck === null ? {} : { security: [{ bearer: [] }, { basic: [] }] }),
    },
  })
  return app
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? ''
}

/** Refuses what no route accepts: other methods, bodies, long query strings. */
function checkForm({ method, raw, url }: FastifyRequest, takesEvents: boolean): void {
  const path = pathOf(url)
  const isOfEvents = path === EVENTS_PATH
  if (isOfEvents && takesEvents) {
    if (method === 'POST') return
    throw new HttpError(405, `Method not allowed: found ${method}, expected POST`, { allow: 'POST' })
  }
  if (method === 'POST' && !isOfEvents && LIKE_EVENTS_PATH.test(path)) {
    throw new HttpError(404, `Not found: there is nothing at this path; did you mean ${EVENTS_PATH}?`)
  }
  if (method !== 'GET' && method !== 'HEAD') {
    const hint = isOfEvents ? '; a server takes events if it was started with --ingest' : ''
    throw new HttpError(405, `Method not allowed: found ${method}, expected GET or HEAD${hint}`, {
      allow: 'GET, HEAD',
    })
  }
  if (hasBody(raw)) throw new HttpError(413, `Payload too large: a ${method} takes no body here`)
  const queryLength = /\?.*/s.exec(raw.url ?? '')?.[0].length ?? 0
  if (queryLength > MAX_QUERY_LENGTH) {
    const found = `found ${queryLength} characters of query string, expected at most ${MAX_QUERY_LENGTH}`
    throw new HttpError(414, `URI too long: ${found}`)
  }
}

/** Returns the answer to one of Fastify's own errors about a body; null for any other error. */
function refusalOfBody({ message, statusCode }: Error & { statusCode?: number }): HttpError | null {
  if (statusCode === 413) {
    return new HttpError(
      413,
      `Payload too large: found more than ${MAX_BODY_BYTES} bytes; send several requests`,
    )
  }
  if (statusCode === 415) {
    return new HttpError(415, 'Unsupported media type: expected application/json or application/x-ndjson')
  }
  return statusCode === 400 ? new HttpError(400, `Invalid request: ${message}`) : null
}

async function sendError(reply: FastifyReply, error: HttpError): Promise<FastifyReply> {
  const { raw } = reply.request
  if (hasBody(raw) && !(await dropBody(raw))) reply.raw.shouldKeepAlive = false
  return await reply
    .code(error.status)
    .headers({ ...SECURITY_HEADERS, ...error.headers })
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(errorBody(error)))
}

/** Answers a client that sends no HTTP, too much or too slowly, when there is no reply object. */
function answerUnparsable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  const problem =
    status === 400 ? 'Invalid request: this is not HTTP/1.1' : `${STATUS_CODES[status]}: send less, or faster`
  const body = JSON.stringify(errorBody(new HttpError(status, problem)))
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  // Whatever else the client sends isn't read any more.
  socket.destroySoon()
}
