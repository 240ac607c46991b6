import type { TailPosition } from '../../../queries/index.js'
import { isSharedPosition } from '../../../queries/rows/tail-position.js'
import type { StreamHub } from '../../stream/stream-hub.js'
import type { App } from '../app.js'
import { badRequest } from '../errors.js'
import { Type } from '../typebox.js'
import { filterOf, SharedStreamQuery, StreamQuery } from './parameters.js'
import { ErrorAnswer } from './responses.js'

/**
 * Adds `GET /v1/stream`: requests as they are projected, as server-sent events.
 *
 * @param isShared whether many journals share the database.
 */
export function addStreamRoute(app: App, hub: StreamHub, isShared: boolean): void {
  app.get(
    '/v1/stream',
    {
      schema: {
        summary: 'New requests as they are projected, as server-sent events',
        description:
          'The event `request` holds an entry as in /v1/requests?details=true, and has its id. `completed` holds an entry that a ' +
          'stream_completed has changed. `lagged` says that requests, or ends of streams, were left out because the client was too slow, or ' +
          'resumed from too long ago. With PostgreSQL the id of an event is a position in all journals instead of a request’s id. A client that ' +
          'reconnects resumes with Last-Event-ID, and gets the ends that it may have missed again. The server doesn’t end a stream by itself, but it ' +
          'may be restarted: browsers then reconnect, and other clients have to do so themselves, with the last id.',
        produces: ['text/event-stream'],
        querystring: isShared ? SharedStreamQuery : StreamQuery,
        response: { 200: Type.String(), default: ErrorAnswer },
      },
    },
    async (request, reply) => {
      const { query, headers } = request
      // A browser that reconnects sends the header, and the URL with which it began.
      const asked = idIn(query.last_event_id?.toString(), isShared)
      const lastEventId = idIn(headers['last-event-id']?.toString(), isShared) ?? asked
      const begin = await hub.start(filterOf(query), lastEventId)
      reply.headers({
        'content-type': 'text/event-stream; charset=utf-8',
        // Proxies would otherwise hold events back until there are more.
        'x-accel-buffering': 'no',
        connection: 'close',
      })
      if (request.method === 'HEAD') return reply.send('')
      reply.hijack()
      // `boundRequests` reads the content type from the response, so that it doesn't end streams.
      // Headers that are only passed to writeHead can't be read there.
      for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '')
      reply.raw.writeHead(200)
      begin(reply.raw)
      return reply
    },
  )
}

function idIn(given: string | undefined, isShared: boolean): TailPosition | null {
  if (given === undefined || given === '') return null
  if (isShared ? isSharedPosition(given) : /^\d+$/.test(given) && Number.isSafeInteger(Number(given)))
    return isShared ? given : Number(given)
  const expected = isShared ? 'the id of an event of this stream' : 'the id of a request'
  throw badRequest(`Invalid Last-Event-ID '${given}'. Expected ${expected}`)
}
