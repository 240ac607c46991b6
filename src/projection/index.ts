// The exports of 'request-journal/projection'.
export { ProjectionError } from '../store/errors.js'
export type { RowChange, TableDifference } from '../store/sqlite/compare/databases.js'
export { type Database, openDatabase } from '../store/sqlite/connection/database.js'
export { DatabaseError } from '../store/sqlite/connection/errors.js'
export {
  type Projector,
  type ProjectorLogger,
  type ProjectorOptions,
  type ProjectResult,
  projectOnce,
  startProjector,
} from './projector.js'
export { type ReplayOptions, type ReplayProgress, type ReplayResult, replay } from './replay.js'
