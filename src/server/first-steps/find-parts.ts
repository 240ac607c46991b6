import { JournalError } from '../../journal/errors.js'
import { isMissing } from '../../journal/file-system.js'
import { readIdentity } from '../../journal/journal-identity.js'
import { listSegments, plainSize } from '../../journal/segments.js'
import type { HealthReport } from '../health/health-report.js'
import { NO_DATABASE, NO_TABLES } from '../http/errors.js'
import type { FoundParts } from './first-steps.js'

/**
 * Finds out whether journal, database and projector exist.
 *
 * @param directory the directory of the journal.
 * @param report the report of `/healthz`.
 * @throws JournalError if the journal can't be read.
 */
export function findParts(directory: string, report: HealthReport): FoundParts {
  const hasDatabase = !report.problems.some((problem) => problem === NO_DATABASE || problem === NO_TABLES)
  return {
    journal: findJournal(directory),
    hasDatabase,
    // The first thing that a projector does is to make the database.
    isProjecting: hasDatabase ? (report.projector_running ?? null) : false,
  }
}

function findJournal(directory: string): FoundParts['journal'] {
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
