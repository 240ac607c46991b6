import { JournalError } from '../../journal/errors.js'
import { isMissing } from '../../journal/file-system.js'
import { readIdentity } from '../../journal/journal-identity.js'
import { listSegments, plainSize } from '../../journal/segments.js'
import type { HealthReport } from '../health/health.js'
import { NO_DATABASE, NO_TABLES } from '../http/errors.js'
import type { Found } from './first-steps.js'

/**
 * Looks for journal, database and projector.
 *
 * @param directory the journal's.
 * @param report what `/healthz` says.
 * @throws JournalError if the journal can't be read.
 */
export function lookForParts(directory: string, report: HealthReport): Found {
  const hasDatabase = !report.problems.some((problem) => problem === NO_DATABASE || problem === NO_TABLES)
  return {
    journal: lookForJournal(directory),
    hasDatabase,
    // A projector makes the database first of all.
    isProjecting: hasDatabase ? (report.projector_running ?? null) : false,
  }
}

function lookForJournal(directory: string): Found['journal'] {
  try {
    readIdentity(directory)
  } catch (error) {
    const isMissingJournal = error instanceof JournalError && error.code === 'JOURNAL_MISSING'
    if (isMissingJournal || isMissing(error)) return 'missing'
    throw error
  }
  const hasLines = listSegments(directory).some((segment) => plainSize(directory, segment) !== 0)
  return hasLines ? 'written' : 'empty'
}
