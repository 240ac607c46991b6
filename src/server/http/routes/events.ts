import type { Ingest } from '../../ingest/ingest.js'
import { type BodyForm, MAX_BODY_BYTES } from '../../ingest/posted-events.js'
import { type App, EVENTS_PATH } from '../app.js'
import { HeldBodies } from '../bounds.js'
import { badRequest, HttpError } from '../errors.js'
import { Type } from '../typebox.js'
import { NoQuery } from './parameters.js'
import { ErrorAnswer, EventsAnswer, EventsErrorAnswer } from './responses.js'

/**
 * The content types of a body. A page of another origin may send none of them without a preflight
 * request, which is refused, so a browser never posts events for such a page.
 */
const FORMS: Readonly<Record<string, BodyForm>> = {
  'application/json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
}

/** An idempotency-key: 1 to 128 visible ASCII characters. */
const KEY = /^[\x21-\x7e]{1,128}$/

/** Adds `POST /v1/events`. */
export function addEventsRoute(app: App, ingest: Ingest): void {
  // Fastify's own parsers take text/plain, which any page may send.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(Object.keys(FORMS), { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body)
  })
  const held = new HeldBodies()
  const schema = {
    summary:
      'Appends events to the journal of this host, all of them or none, and answers once they are durable',
    consumes: Object.keys(FORMS),
    headers: Type.Object({
      'idempotency-key': Type.Optional(
        Type.String({
          description: 'A body that is sent again with the same key, within a day, is written only once.',
        }),
      ),
    }),
    querystring: NoQuery,
    body: Type.Unknown({
      description:
        'One event, an array of events, or one event per line; event.schema.json describes an event.',
    }),
    response: {
      200: EventsAnswer,
      400: EventsErrorAnswer,
      500: EventsErrorAnswer,
      503: EventsErrorAnswer,
      default: ErrorAnswer,
    },
  }
  app.post(
    EVENTS_PATH,
    {
      schema,
      bodyLimit: MAX_BODY_BYTES,
      onRequest: async ({ headers }, reply) => {
        const encoding = headers['content-encoding'] ?? 'identity'
        if (encoding !== 'identity') {
          throw new HttpError(
            415,
            `Unsupported media type: found content-encoding '${encoding}', expected none`,
          )
        }
        held.hold(Number(headers['content-length'] ?? MAX_BODY_BYTES), reply.raw)
      },
    },
    async ({ headers, body, mayAppend }, reply) => {
      const key = keyOf(headers['idempotency-key'])
      if (!Buffer.isBuffer(body)) throw badRequest('found no body, expected events')
      const [type = ''] = (headers['content-type'] ?? '').split(';')
      const form = FORMS[type.trim().toLowerCase()] ?? 'json'
      return await reply.send(await ingest.post(body, form, key, mayAppend))
    },
  )
}

function keyOf(header: string | string[] | undefined): string | null {
  if (header === undefined) return null
  if (typeof header === 'string' && KEY.test(header)) return header
  throw badRequest('idempotency-key: expected 1 to 128 visible ASCII characters without spaces')
}
