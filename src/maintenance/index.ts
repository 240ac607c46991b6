export { type ArchiveOptions, type ArchiveResult, archive, type SkipReason } from './archive.js'
export {
  type DoctorCheck,
  type DoctorLevel,
  type DoctorOptions,
  type DoctorReport,
  doctor,
} from './doctor/doctor.js'
export { InputError, type InputErrorCode } from './errors.js'
export { importRequests } from './import/import.js'
export type { ImportNote } from './import/import-notes.js'
export type { ImportResult } from './import/import-result.js'
export type { ImportTotals } from './import/import-totals.js'
export type { ImportSource } from './import/imported-row.js'
export { type JournalImport, listImports } from './import/list-imports.js'
export type { ImportOptions, ImportProgress } from './import/options.js'
export { type UndoImportOptions, type UndoResult, undoImport } from './import/undo-import.js'
export { ObjectStoreError, type ObjectStoreErrorCode } from './objects/errors.js'
export type { OtherJournal } from './other-journals.js'
export { ExportError, type ExportErrorCode } from './parquet/errors.js'
export {
  exportParquet,
  type ParquetExportOptions,
  type ParquetExportResult,
} from './parquet/export-parquet.js'
export {
  type PriceImport,
  type PriceImportOptions,
  type PriceProposal,
  type PriceSource,
  planPriceImport,
} from './prices/import-prices.js'
export { planRateImport, type RateChange, type RateImport } from './prices/import-rates.js'
export { type PriceChange, type PriceDiff, priceEvents } from './prices/price-diff.js'
export type { LeftOutModel, Likeness } from './prices/price-list.js'
export { type PruneOptions, type PruneResult, prune } from './prune.js'
export type {
  ReconciledAmounts,
  ReconciledDay,
  ReconciledModel,
  ReconciledRow,
} from './reconcile/comparison.js'
export type {
  DifferenceReason,
  LargestDifference,
} from './reconcile/largest-difference.js'
export type { ReconcileOptions } from './reconcile/options.js'
export type { PresetName } from './reconcile/presets.js'
export { type Reconciliation, reconcile } from './reconcile/reconcile.js'
export { type RedateOptions, type RedateResult, redate } from './redate.js'
export {
  type CostSums,
  type RepricedGroup,
  type RepriceOptions,
  type RepriceReport,
  reprice,
} from './reprice.js'
export { RestoreError, type RestoreErrorCode } from './restore/errors.js'
export { type RestoreOptions, type RestoreResult, restore } from './restore/restore.js'
export { type NotShippedReason, type ShipOptions, type ShipResult, ship } from './ship/ship.js'
export {
  type DatabaseStatus,
  type SegmentStatus,
  type StatusOptions,
  type StatusReport,
  status,
} from './status.js'
export { type VerifyOptions, type VerifyReport, verify } from './verify/verify.js'
export type { VerifyProgress } from './verify/verify-pass.js'
export type { DifferingColumn, ProblemKind, VerifyProblem } from './verify/verify-problems.js'
