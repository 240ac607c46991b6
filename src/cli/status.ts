import { countText } from '../maintenance/count-text.js'
import type { DatabaseStatus, SegmentStatus, StatusReport } from '../maintenance/status.js'
import { withElapsedTime } from './output/elapsed.js'
import { formatBytes, formatSeconds, formatTime } from './output/format.js'
import { pageWidth, printAnswer } from './output/standard-output.js'
import { type Column, formatTable } from './output/table.js'
import { visible } from './output/terminal.js'
import type { CommonFlags, ProgramCommand } from './run/command.js'

const SHOWN_SEGMENTS = 20
const SHOWN_JOURNALS = 10

export function addStatus(program: ProgramCommand): void {
  program
    .command('status')
    .summary('segments, positions, lag, rejected lines')
    .description(
      'Shows the state of journal and database: the segments, how far each is projected, and what is ' +
        'waiting. The exit code is 1 if there is a warning, such as that a segment is distrusted, truncated ' +
        "or gone, that a disk is full, or that a file that looks like a segment isn't read.",
    )
    .journalOption()
    .storeOption()
    .jsonOption()
    .examples('request-journal status', 'request-journal status --json | jq .lag_bytes')
    .action(async (flags: CommonFlags) => {
      const { status } = await import('../maintenance/status.js')
      const report = await withElapsedTime(() => status(flags))
      printAnswer(report, flags, () => formatStatus(report, flags.database, pageWidth()))
      if (report.problems.length > 0) process.exitCode = 1
    })
}

function formatStatus(report: StatusReport, databasePath: string, width: number): string {
  const { journal } = report
  const lines = [
    `journal   ${visible(journal.directory)}`,
    `          ${visible(journal.journal_id)}, created ${visible(formatTime(journal.created_at))} UTC`,
    ...databaseLines(report, databasePath),
    `lag       ${formatLag(report)}`,
    ...report.problems.map((problem) => `WARNING   ${visible(problem)}`),
    '',
    ...segmentTable(journal.segments, width),
    ...otherJournals(report.database, width),
  ]
  return lines.join('\n')
}

function databaseLines({ database }: StatusReport, databasePath: string): string[] {
  if (database === null) {
    return [`database  ${visible(databasePath)}: none yet; \`request-journal project\` creates it`]
  }
  const counts = [
    countText(database.requests, 'request'),
    countText(database.rejected, 'rejected line'),
    countText(database.held, 'held completion'),
    countText(database.late_lines, 'late line'),
    countText(database.unchecked, 'unchecked line'),
  ]
  if (database.unjournaled > 0)
    counts.push(`${countText(database.unjournaled, 'row')} from before the journal`)
  return [
    `database  ${visible(database.path)}`,
    `          ${counts.slice(0, 3).join(', ')}`,
    `          ${counts.slice(3).join(', ')}`,
    ...irregularCompletions(database),
    ...repricing(database),
    `projector ${runningText(database.projector_running)}`,
  ]
}

/** @param isRunning null: a replica is asked, which doesn't know it. */
function runningText(isRunning: boolean | null): string {
  if (isRunning === null) return 'unknown'
  return isRunning ? 'running' : 'not running'
}

function repricing({ to_reprice, projector_running }: DatabaseStatus): string[] {
  if (to_reprice === 0) return []
  const advice = projector_running !== false ? '' : '; start `request-journal project`'
  return [
    `repricing ${countText(to_reprice, 'row')} to be repriced: prices or exchange rates came late${advice}`,
  ]
}

/** Counts repeated and ambiguous completions, if there are some; doctor says more about them. */
function irregularCompletions({ repeated_completions, ambiguous_completions }: DatabaseStatus): string[] {
  if (repeated_completions === 0 && ambiguous_completions === 0) return []
  const repeated = countText(repeated_completions, 'repeated completion')
  return [`          ${repeated}, ${ambiguous_completions} ambiguous; see \`request-journal doctor\``]
}

function formatLag({ lag_bytes, lag_seconds, database }: StatusReport): string {
  if (lag_bytes === 0) return 'none: everything is projected'
  const isStopped = database === null || database.projector_running === false
  const advice = isStopped ? '; start `request-journal project`' : ''
  return `${formatBytes(lag_bytes)} not projected, for ${formatSeconds(lag_seconds)}${advice}`
}

function segmentTable(segments: readonly SegmentStatus[], width: number): string[] {
  if (segments.length === 0) return ['no segments yet']
  const columns: Column<SegmentStatus>[] = [
    { title: 'segment', cell: ({ name }) => name },
    { title: 'size', align: 'right', dropRank: 2, cell: ({ bytes }) => formatBytes(bytes) },
    {
      title: 'projected',
      align: 'right',
      dropRank: 3,
      cell: ({ projected_bytes }) => formatBytes(projected_bytes),
    },
    { title: 'behind', align: 'right', dropRank: 1, cell: behindText },
    { title: '', cell: marksOf },
  ]
  const table = formatTable(columns, segments.slice(-SHOWN_SEGMENTS), width)
  const hidden = segments.length - SHOWN_SEGMENTS
  return hidden > 0 ? [table, `… and ${countText(hidden, 'older one')} (--json has all)`] : [table]
}

function behindText({ archived, bytes, projected_bytes }: SegmentStatus): string {
  return archived || bytes <= projected_bytes ? '' : formatBytes(bytes - projected_bytes)
}

function marksOf({ archived, distrusted }: SegmentStatus): string {
  return [...(archived ? ['archived'] : []), ...(distrusted ? ['DISTRUSTED'] : [])].join(', ')
}

/** Lists the other journals of the database. Only their hosts know what isn't committed yet. */
function otherJournals(database: DatabaseStatus | null, width: number): string[] {
  const { other_journals: journals = [], more_journals: more = 0 } = database ?? {}
  if (journals.length === 0) return []
  const time = (text: string | null) => (text === null ? 'never' : formatTime(text))
  const shown = journals.slice(0, SHOWN_JOURNALS)
  const hidden = journals.length + more - shown.length
  const table = formatTable(
    [
      { title: 'other journals', cell: ({ journal_id }) => journal_id },
      { title: 'host', shrinksTo: 12, cell: ({ host }) => host },
      { title: 'last seen (UTC)', cell: ({ last_seen }) => time(last_seen) },
      { title: 'caught up (UTC)', dropRank: 1, cell: ({ caught_up_at }) => time(caught_up_at) },
      { title: 'projector', dropRank: 2, cell: (journal) => runningText(journal.projector_running) },
    ],
    shown,
    width,
  )
  return ['', table, ...(hidden > 0 ? [`… and ${countText(hidden, 'more journal')}`] : [])]
}
