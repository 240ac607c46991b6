export {
  type DatabaseStatus,
  type SegmentStatus,
  type StatusOptions,
  type StatusReport,
  status,
} from './status.js'
