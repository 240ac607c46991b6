export { type Database, openDatabase } from '../storage/database.js'
export { DatabaseError } from '../storage/errors.js'
export { ProjectionError } from './errors.js'
export {
  type Projector,
  type ProjectorLogger,
  type ProjectorOptions,
  type ProjectResult,
  projectOnce,
  startProjector,
} from './projector.js'
export { type ReplayOptions, type ReplayProgress, replay } from './replay.js'
