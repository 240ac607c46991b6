// The part of `serve --ingest` that takes events, without questions and a database: it starts in a tenth of the time.
import { openJournal } from '../../dist/index.js'
import { createApp } from '../../dist/server/http/app.js'
import { hostCheck } from '../../dist/server/http/origin-checks.js'
import { addEventsRoute } from '../../dist/server/http/routes/events.js'
import { TokenCheck } from '../../dist/server/http/token.js'
import { Ingest } from '../../dist/server/ingest/ingest.js'

const [directory, token] = process.argv.slice(2)
const logger = { ...console, debug() {} }
const app = await createApp({
  checkHost: hostCheck('127.0.0.1', []),
  tokenCheck: new TokenCheck({ all: [token], ingest: [] }),
  takesEvents: true,
  maxRequestMs: 60_000,
  logger,
})
addEventsRoute(app, new Ingest(openJournal({ directory, logger }), directory, logger))
console.log(await app.listen({ host: '127.0.0.1', port: 0 }))
