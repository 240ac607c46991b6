import { fileURLToPath } from 'node:url'
import { importWith } from '../../../src/maintenance/import/import.js'
import type { ImportOptions } from '../../../src/maintenance/import/options.js'
import type { StagingPorts } from '../../../src/maintenance/import/staged-import.js'

/** A file of a source, as its program has written it. */
export const exported = (name: string) => fileURLToPath(new URL(`files/${name}`, import.meta.url))

/** Imports without giving writers time to notice. */
export const importHere = (options: ImportOptions, ports: Partial<StagingPorts> = {}) =>
  importWith(options, { now: Date.now, noticeMs: 1, maxParts: 366, onStep() {}, ...ports })
