import { countText } from '../maintenance/count-text.js'
import type { VerifyReport } from '../maintenance/verify/verify.js'
import type { ProblemKind, VerifyProblem } from '../maintenance/verify/verify-problems.js'
import { formatCount, formatMs, formatValue } from './output/format.js'
import { withProgressLine } from './output/progress.js'
import { printAnswer } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import type { CommonFlags, ProgramCommand } from './run/command.js'

const SHOWN_PROBLEMS = 20

const OF_DATABASE =
  'the database is not what the journal says: `request-journal replay` rebuilds it from the journal'
const OF_JOURNAL =
  'the journal was changed after it was written: compare it with a backup, put the right segment back, and verify ' +
  'again; a replay before that would take the journal as it is, and lose what only the database still has'

const ADVICE: Record<ProblemKind, string> = {
  missing: OF_DATABASE,
  doubled: OF_DATABASE,
  altered: OF_DATABASE,
  surplus: OF_DATABASE,
  counts: OF_DATABASE,
  ratio: OF_DATABASE,
  rollup: OF_DATABASE,
  counter:
    'counters survive a replay: project the journal into a new database to have them counted again, or leave them, ' +
    'since only monitoring reads them',
  damaged: OF_JOURNAL,
  gone: OF_JOURNAL,
  truncated: OF_JOURNAL,
  swapped: OF_JOURNAL,
  tampered: OF_JOURNAL,
  chain: OF_JOURNAL,
  unpruned:
    'run `request-journal prune` again, with the same date; if you never did, the database was changed by hand',
  unreadable:
    'a segment could not be read: check the disk and its permissions, or bring it back from a backup',
}

export function addVerify(program: ProgramCommand): void {
  program
    .command('verify')
    .summary('every line against its checksum and its row')
    .description(
      'Reads every line of the journal, archived segments too, checks its checksum, and compares each event ' +
        'with its row and each row with its line. Names what is missing, doubled or altered, and segments ' +
        'that are truncated, swapped or gone, with segment and byte offset. Changes nothing, and the ' +
        'projector may run meanwhile. Needs free space for a temporary database, about as much as the ' +
        'database takes; for PostgreSQL twice as much, in the temporary folder. With --no-db, or if there is ' +
        'no such file, it checks the journal alone. The exit code is 1 if anything is wrong; lines that are ' +
        'rejected, or not projected yet, do not count as wrong.',
    )
    .journalOption()
    .storeOption()
    .option('--no-db', 'check the journal alone, for example in a backup')
    .jsonOption()
    .examples('request-journal verify', 'request-journal verify --json | jq .chain.head')
    .action(runVerify)
}

async function runVerify(flags: Omit<CommonFlags, 'database'> & { database: string | false }): Promise<void> {
  const { verify } = await import('../maintenance/verify/verify.js')
  const database = flags.database === false ? undefined : flags.database
  const report = await withProgressLine((line) =>
    verify({ ...flags, database, onProgress: (progress) => line.showProgress(progress, '') }),
  )
  printAnswer(report, flags, () => formatReport(report, database))
  if (!report.ok) process.exitCode = 1
}

function formatReport(report: VerifyReport, databasePath: string | undefined): string {
  const { chain, problems, more_problems } = report
  const lines = [
    `journal   ${countText(report.lines, 'line')} in ${countText(report.segments, 'segment')}${details(report, OF_LINES)}`,
    `database  ${databaseText(report, databasePath)}`,
    chain.entries === 0
      ? 'chain     nothing is sealed yet'
      : `chain     ${countText(chain.entries, 'entry', 'entries')}, head ${chain.head}`,
  ]
  const total = problems.length + more_problems
  if (total === 0) return [...lines, `ok        nothing is wrong (${formatMs(report.elapsed_ms)})`].join('\n')
  lines.push(`WRONG     ${countText(total, 'problem')} (${formatMs(report.elapsed_ms)})`, '')
  for (const problem of problems.slice(0, SHOWN_PROBLEMS)) lines.push(formatProblem(problem))
  const hidden = total - Math.min(problems.length, SHOWN_PROBLEMS)
  if (hidden > 0) lines.push(`… and ${formatCount(hidden)} more (--json has the first ${problems.length})`)
  lines.push('', ...advice(problems))
  return lines.join('\n')
}

const WORDS = {
  rejected: (count: number) => `${formatCount(count)} rejected (\`request-journal rejected\`)`,
  unchecked: (count: number) => `${formatCount(count)} without a checksum`,
  late: (count: number) => `${formatCount(count)} late`,
  recompressed: (count: number) => `${countText(count, 'archive')} compressed again, with the same lines`,
  accepted_missing: (count: number) =>
    `${countText(count, 'segment')} gone, as accepted with --allow-missing`,
  unjournaled: (count: number) => `${formatCount(count)} not from the journal`,
  added: (count: number) =>
    `${formatCount(count)} of them added by another program, and in no sum (\`request-journal doctor\`)`,
  held: (count: number) => countText(count, 'held completion'),
  superseded: (count: number) => countText(count, 'overwritten completion'),
  pending: (count: number) => `${countText(count, 'line')} not projected yet`,
  to_reprice: (count: number) => `${formatCount(count)} to be repriced, so costs were not compared`,
}

const OF_LINES = ['rejected', 'unchecked', 'late', 'recompressed', 'accepted_missing'] as const
const OF_ROWS = ['unjournaled', 'added', 'held', 'superseded', 'pending', 'to_reprice'] as const

function databaseText(report: VerifyReport, databasePath: string | undefined): string {
  if (report.database !== null) return `${countText(report.rows, 'row')}${details(report, OF_ROWS)}`
  const name = databasePath === undefined ? '' : `${visible(databasePath)}: `
  return `${name}none; the journal was checked alone`
}

/** `; 3 late, 1 rejected`; nothing if all are 0. */
function details(report: VerifyReport, fields: readonly (keyof typeof WORDS)[]): string {
  const shown = fields.filter((field) => report[field] > 0)
  const text = shown.map((field) => WORDS[field](report[field])).join(', ')
  return shown.length === 0 ? '' : `; ${text}`
}

/**
 * `altered   2026-11-22.ndjson:1024  row 7 is not what its line says: model "gpt-4o", in the
 * database "gpt-5"`
 */
function formatProblem({ kind, segment, byte_offset, detail, columns = [] }: VerifyProblem): string {
  const place = segment === null ? '' : `${segment}:${byte_offset}  `
  const differences = columns.map(
    ({ column, journal, database }) =>
      `${column} ${formatValue(journal)}, in the database ${formatValue(database)}`,
  )
  const what = differences.length === 0 ? '' : `: ${differences.join('; ')}`
  return visible(`${kind.padEnd(9)} ${place}${detail}${what}`)
}

/** Each piece of advice once. A replay from a damaged journal loses what only the database has. */
function advice(problems: readonly VerifyProblem[]): string[] {
  const given = new Set(problems.map(({ kind }) => ADVICE[kind]))
  if (given.has(OF_JOURNAL)) {
    given.delete(OF_DATABASE)
  }
  return [...given].map((text) => `What to do: ${text}.`)
}
