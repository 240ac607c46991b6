import { JournalError } from '../../journal/errors.js'
import { isMissing } from '../../journal/file-system.js'
import { readIdentity } from '../../journal/journal-identity.js'
import { listSegments, plainSize } from '../../journal/segments.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import type { HealthReport } from '../health/health-report.js'
import { NO_DATABASE, NO_TABLES } from '../http/errors.js'
import { pathFrom, quoted } from './shell.js'

/** Which parts that a request passes on its way into the database were found. */
export interface FoundParts {
  /** Whether there is a journal at the server's path, and lines in it. */
  journal: 'missing' | 'empty' | 'written'
  /** Whether the database, or its tables in PostgreSQL, can be read. */
  hasDatabase: boolean
  /** Whether something projects into it. Null: this server can't find out. */
  isProjecting: boolean | null
}

/** Where a server was started, and with which files. */
export interface ServerStart {
  /** How people call this program there, quoted where it needs to be: `npx request-journal`. */
  program: string
  /** The folder that relative paths start from. */
  folder: string
  /** An absolute path. */
  journal: string
  /** An absolute path, or an address. */
  database: string
  schema: string
}

/** One part that a request passes on its way into the database, and whether it exists. */
export interface Part {
  name: 'Database' | 'Projector' | 'Journal' | 'Events'
  /** Where it is, or would be; null if it has no place. */
  place: string | null
  /** Null: this server can't find out. */
  is_there: boolean | null
}

/** A command that is needed until the first request appears. */
export interface Step {
  title: string
  command: string
}

/** The body of `GET /v1/first-steps`. */
export interface FirstSteps {
  /** The folder to run the commands in: their paths may be relative to it. */
  folder: string
  parts: Part[]
  /** Empty if nothing is missing. */
  steps: Step[]
}

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

const EVENT = JSON.stringify({
  model: 'gpt-4o',
  provider: 'openai',
  input_tokens: 812,
  output_tokens: 164,
  cost_usd: 0.0037,
  latency_ms: 2140,
  success: true,
})

/**
 * Lists what is missing before a request can appear, and the commands that provide it. They work as
 * they are, in the folder in which the server was started.
 */
export function firstSteps(found: FoundParts, started: ServerStart): FirstSteps {
  const { program, folder, schema } = started
  const isPostgres = isPostgresAddress(started.database)
  const journal = pathFrom(folder, started.journal)
  const database = isPostgres ? started.database : pathFrom(folder, started.database)
  const databaseOptions = ['--db', database, ...(isPostgres ? ['--schema', schema] : [])]
  const command = (...args: string[]) => [program, ...args.map(quoted)].join(' ')
  const steps: Step[] = []
  if (isPostgres && !found.hasDatabase) {
    steps.push({ title: 'Make the tables:', command: command('migrate', ...databaseOptions) })
  }
  if (found.isProjecting === false) {
    steps.push({
      title: 'Start a projector, and leave it running:',
      command: command('project', '--journal', journal, ...databaseOptions),
    })
  }
  if (found.journal !== 'written') {
    steps.push(
      {
        title: found.journal === 'missing' ? 'Append an event, which makes the journal:' : 'Append an event:',
        command: `echo '${EVENT}' | ${command('append', '--journal', journal)}`,
      },
      {
        title: 'Or log the calls of a client, through a proxy in front of its provider:',
        command: command('proxy', '--upstream', 'https://api.openai.com', '--journal', journal),
      },
    )
  }
  return {
    folder,
    parts: [
      { name: 'Journal', place: journal, is_there: found.journal !== 'missing' },
      { name: 'Events', place: null, is_there: found.journal === 'written' },
      { name: 'Projector', place: null, is_there: found.isProjecting },
      { name: 'Database', place: database, is_there: found.hasDatabase },
    ],
    steps,
  }
}
