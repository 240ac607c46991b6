export { DatabaseError } from '../store/sqlite/connection/errors.js'
export { ServerError } from './http/errors.js'
export type { ServerLogger, ServerOptions } from './http/options.js'
export { type Server, startServer } from './start-server.js'
