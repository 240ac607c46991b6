import { countText } from '../maintenance/count-text.js'
import type { DoctorCheck, DoctorReport } from '../maintenance/doctor/doctor.js'
import { withElapsedTime } from './output/elapsed.js'
import { formatCount } from './output/format.js'
import { pageWidth, printAnswer } from './output/standard-output.js'
import { displayWidth, visible } from './output/terminal.js'
import type { CommonFlags, ProgramCommand } from './run/command.js'

/** With fewer columns than this next to the name of a check, its text goes below the name. */
const LEAST_ROOM = 30
/** How many items of one check are shown, so that the report stays one page. */
const SHOWN_ITEMS = 5

const LEVELS = ['problem', 'note', 'ok'] as const
const MARKS = { problem: 'PROBLEM', note: 'note', ok: 'ok' }

export function addDoctor(program: ProgramCommand): void {
  program
    .command('doctor')
    .summary('what is wrong, and what to do about it')
    .description(
      'Checks for everything that is known to go wrong with journal, database and projector, and says what ' +
        'to do about it. Writes nothing but a probe file in the journal, which it removes. The exit code is 1 ' +
        'if there is a problem; notes are not problems.',
    )
    .journalOption()
    .storeOption()
    .jsonOption()
    .examples('request-journal doctor', 'request-journal doctor --json | jq .healthy')
    .action(async (flags: CommonFlags) => {
      const { doctor } = await import('../maintenance/doctor/doctor.js')
      const report = await withElapsedTime(() => doctor(flags))
      printAnswer(report, flags, () => formatReport(report, pageWidth()))
      if (!report.healthy) process.exitCode = 1
    })
}

/** Puts problems first, and the verdict last, where people look when the command has ended. */
function formatReport(report: DoctorReport, width: number): string {
  const { checks } = report
  const titleWidth = Math.max(...checks.map(({ check }) => check.length))
  const lines = [`journal   ${visible(report.journal)}`, `database  ${visible(report.database)}`, '']
  for (const level of LEVELS) {
    for (const check of checks.filter((check) => check.level === level)) {
      lines.push(...formatCheck(check, titleWidth, width))
    }
  }
  return [...lines, '', verdict(report)].join('\n')
}

function formatCheck({ check, level, found, items, advice }: DoctorCheck, titleWidth: number, width: number) {
  const title = `${MARKS[level].padEnd(7)}  ${check.replaceAll('_', ' ').padEnd(titleWidth)}  `
  const hasRoom = width - title.length >= LEAST_ROOM
  const indent = ' '.repeat(hasRoom ? title.length : 2)
  const room = width - indent.length
  const lines = wrap(found, room)
  for (const item of items.slice(0, SHOWN_ITEMS)) lines.push(...wrap(item, room - 2).map(hanging('- ')))
  if (items.length > SHOWN_ITEMS) lines.push(`… and ${formatCount(items.length - SHOWN_ITEMS)} more (--json)`)
  if (advice !== null) lines.push(...wrap(advice, room - 2).map(hanging('→ ')))
  if (!hasRoom) return [title.trimEnd(), ...lines.map((line) => indent + line)]
  return lines.map((line, i) => (i === 0 ? title : indent) + line)
}

function hanging(mark: string): (line: string, i: number) => string {
  return (line, i) => (i === 0 ? mark : '  ') + line
}

/** Breaks text into lines. A word that is longer, such as a path, stays whole: it can be copied. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of visible(text).split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && displayWidth(last) + 1 + displayWidth(word) <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

function verdict({ problems, notes, checks }: DoctorReport): string {
  const rest = `${countText(notes, 'note')}, ${checks.length - problems - notes} checks ok`
  return problems === 0 ? `No problem found (${rest}).` : `${countText(problems, 'problem')} (${rest}).`
}
