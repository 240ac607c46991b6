export { DatabaseError } from '../storage/errors.js'
export { ServerError } from './errors.js'
export type { ServerLogger, ServerOptions } from './options.js'
export { type Server, startServer } from './start-server.js'
