export { DatabaseError } from '../store/sqlite/connection/errors.js'
export { ServerError } from './errors.js'
export type { ServerLogger, ServerOptions } from './options.js'
export { type Server, startServer } from './start-server.js'
