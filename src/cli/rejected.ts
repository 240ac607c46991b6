import type { RejectedEntry, RejectedList } from '../queries/rows/rejected.js'
import { formatCount } from './output/format.js'
import { note } from './output/standard-error.js'
import { pageWidth, printAnswer } from './output/standard-output.js'
import { formatTable } from './output/table.js'
import type { CommonFlags, ProgramCommand } from './run/command.js'
import { askDatabase } from './run/database.js'

const MAX_LIMIT = 1_000_000

export function addRejected(program: ProgramCommand): void {
  program
    .command('rejected')
    .summary('rejected lines with place and reason')
    .description(
      'Lists the lines that could not be projected, the last in the journal first: the place of each ' +
        '(segment and byte offset), the reason, and how it begins. The lines themselves stay in the journal.',
    )
    .storeOption()
    .numberOption('--limit <n>', `show at most this many, 1 to ${MAX_LIMIT}`, 1, MAX_LIMIT, 50)
    .jsonOption()
    .examples('request-journal rejected --limit 5')
    .action(async (flags: CommonFlags & { limit: number }) => {
      const { listRejected } = await import('../queries/rows/rejected.js')
      const list = await askDatabase(flags, (database) => listRejected(database, flags))
      printAnswer(list, flags, () => formatRejected(list, pageWidth()))
      if (flags.json !== true && list.rejected.some(isTorn)) note(TORN)
    })
}

const TORN =
  'note: a line that breaks off was torn by a full disk or a crash; whole events after it in the same line are ' +
  'projected. Its own event is missing, unless its writer appended it again, as writers do once a full disk has room'

/** Whether a rejected line is, or begins with, only the beginning of an event. */
function isTorn({ reason, detail, excerpt, length }: RejectedEntry): boolean {
  if (!excerpt.startsWith('{')) return false
  if (detail.includes(' recovered')) return true
  return reason === 'not_json' && Buffer.byteLength(excerpt) === length && !excerpt.trimEnd().endsWith('}')
}

function formatRejected({ total, rejected }: RejectedList, width: number): string {
  if (total === 0) return 'no rejected lines'
  const table = formatTable(
    [
      { title: 'place', cell: ({ segment, byte_offset }) => `${segment}:${byte_offset}` },
      { title: 'bytes', align: 'right', dropRank: 2, cell: ({ length }) => formatCount(length) },
      { title: 'reason', cell: ({ reason }) => reason },
      { title: 'detail', cell: ({ detail }) => detail },
      { title: 'begins with', shrinksTo: 10, dropRank: 1, cell: ({ excerpt }) => excerpt },
    ],
    rejected,
    width,
  )
  const hidden = total - rejected.length
  return hidden > 0 ? `${table}\n… and ${formatCount(hidden)} more (--limit)` : table
}
