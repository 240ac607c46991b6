import { fstatSync } from 'node:fs'
import { InvalidEventError } from '../../events/errors.js'
import type { EventInput, RequestLog } from '../../events/event-types.js'
import { FIELDS } from '../../events/fields.js'
import { MAX_LINE_BYTES, parseLine } from '../../events/line.js'
import { loggedFigures } from '../../folds/costs/row-cost.js'
import { type Journal, openJournal } from '../../journal/append/journal.js'
import { JournalWriteError } from '../../journal/errors.js'
import { isBlank, LineScanner, type ScannedLine } from '../../journal/read/line-scanner.js'
import { countText } from '../../maintenance/count-text.js'
import { withElapsedTime } from '../output/elapsed.js'
import { formatCount } from '../output/format.js'
import { note } from '../output/standard-error.js'
import { printAnswer } from '../output/standard-output.js'
import { visible } from '../output/terminal.js'
import type { CommonFlags } from './command.js'
import { describeFailure } from './failure.js'
import { exitCodeAfter, stopOnSignal } from './process.js'

/** How many bad lines are reported one by one. */
const NAMED_LINES = 20

/**
 * How long a pipe is still read after a signal: until it has been silent for the first of these
 * times, and at most for the second.
 */
const SILENCE_MS = 100
const READ_ON_MS = 1000

/** Appends the events on stdin, and prints how many were appended and refused. */
export async function appendStdin(options: Pick<CommonFlags, 'journal' | 'json'>): Promise<void> {
  const journal = openJournal({ directory: options.journal, logger: warningsForPeople })
  const run = new AppendRun(journal)
  if (process.stdin.isTTY) note('Reading events from stdin, one JSON object a line; Ctrl-D ends.')
  let unexpected: unknown = null
  const isFile = fstatSync(process.stdin.fd).isFile()
  const isPipe = !isFile && !process.stdin.isTTY
  // `tail -f … | request-journal append` usually ends like this: stop reading, then sync and answer
  // as at the end of stdin.
  const stop = stopOnSignal(['SIGINT', 'SIGTERM'])
  stop.addEventListener('abort', () => stopReading(run, isPipe))
  try {
    const read = () => readStdin(run, stop)
    // Not for a pipe: nobody would know whether the time is its writer's or this program's.
    await (isFile ? withElapsedTime(read) : read())
  } catch (error) {
    process.exitCode = 1
    if (!(error instanceof JournalWriteError)) unexpected = error
    else
      note(`line ${run.line}: ${visible(error.message)}; stopped here, nothing from this line on is appended`)
  }
  // Close even after a failure: the events before it have to be synced.
  try {
    await journal.close()
  } catch (error) {
    note(describeFailure(error))
    process.exitCode = 1
  }
  if (unexpected !== null) throw unexpected
  if (run.refused > NAMED_LINES) note(`… and ${countText(run.refused - NAMED_LINES, 'more line')} refused`)
  if (run.refused > 0) process.exitCode = 1
  if (stop.aborted) process.exitCode = exitCodeAfter(stop.reason)
  const { appended, refused } = run
  printAnswer({ appended, refused, journal_id: journal.identity.journal_id }, options, () => {
    const what = `${countText(appended, 'event')} appended to ${visible(options.journal)}`
    return `${what}, ${formatCount(refused)} refused`
  })
}

/**
 * Stops reading stdin. Lines that are already in a pipe are read first, and so are those that a
 * program that got the same Ctrl-C writes as it ends: they would be lost otherwise.
 */
function stopReading(run: AppendRun, isPipe: boolean): void {
  const until = isPipe ? Date.now() + READ_ON_MS : 0
  let line = -1
  const look = () => {
    if (run.line === line || Date.now() > until) process.stdin.destroy()
    else {
      line = run.line
      setTimeout(look, SILENCE_MS).unref()
    }
  }
  look()
}

async function readStdin(run: AppendRun, stop: AbortSignal): Promise<void> {
  const scanner = new LineScanner()
  try {
    for await (const chunk of process.stdin) for (const line of scanner.scan(chunk)) run.add(line)
  } catch (error) {
    // A destroyed stream ends with an error.
    if (!stop.aborted) throw error
  }
  // The last line may lack its newline, but a line that a signal has cut off isn't whole.
  if (scanner.pendingBytes > 0 && !stop.aborted) {
    for (const line of scanner.scan(Buffer.from('\n'))) run.add(line)
  }
}

/** Appends lines and counts what became of them. */
class AppendRun {
  /** The number of the last line, from 1; blank lines count. */
  line = 0
  appended = 0
  refused = 0
  readonly #journal: Journal

  constructor(journal: Journal) {
    this.#journal = journal
  }

  /** @throws JournalWriteError when the disk refuses. */
  add(line: ScannedLine): void {
    this.line++
    if (isBlank(line)) return
    const { bytes, length } = line
    if (bytes === null) {
      this.#refuse(`${formatCount(length)} bytes, at most ${formatCount(MAX_LINE_BYTES)} are allowed`)
      return
    }
    const parsed = parseLine(bytes)
    if ('reason' in parsed) {
      this.#refuse(parsed.detail)
      return
    }
    try {
      // `append` checks whether it is an event.
      for (const event of eventsOf(parsed.members)) {
        this.#journal.append(event as RequestLog)
        this.appended++
      }
    } catch (error) {
      if (!(error instanceof InvalidEventError)) throw error
      this.#refuse(error.message)
    }
  }

  #refuse(reason: string): void {
    this.refused++
    if (this.refused <= NAMED_LINES) note(`line ${this.line}: ${visible(reason)}`)
  }
}

/** The members of an exported request that no event has: its id, and its places. */
const PLACE_MEMBERS = ['id', 'segment', 'byte_offset', 'completed_segment', 'completed_byte_offset'] as const

/** The members of a completion: what it overwrites, and what says which request it belongs to. */
const COMPLETION_MEMBERS = Object.keys(FIELDS.stream_completed)

/**
 * Returns the events of a line of stdin. A line of an export is a request in its final state: a
 * completed stream becomes two events, which give the same row again. Any other line is an event
 * itself.
 */
function eventsOf(members: Record<string, unknown>): EventInput[] {
  if (!isExported(members)) return [members as unknown as EventInput]
  const { stream_duration_ms: duration, ...request } = withLoggedCosts(members)
  for (const member of PLACE_MEMBERS) delete request[member]
  const isCompleted = duration !== null || Object.hasOwn(members, 'completed_segment')
  if (!isCompleted) return [request as unknown as EventInput]
  const all: Record<string, unknown> = { ...request, stream_duration_ms: duration }
  const outcome = COMPLETION_MEMBERS.filter((member) => Object.hasOwn(all, member))
  const completion = Object.fromEntries(outcome.map((member) => [member, all[member]]))
  return [request, { type: 'stream_completed', ...completion }] as unknown as EventInput[]
}

/**
 * Leaves out the costs of an exported request that weren't logged: they were computed from prices
 * and exchange rates, which may be different in another journal.
 */
function withLoggedCosts(members: Record<string, unknown>): Record<string, unknown> {
  if (!Object.hasOwn(members, 'cost_source')) return members
  const { cost_source, cost_currency = null, cost_sats, cost_usd = null, ...rest } = members
  const row = { cost_source, cost_currency, cost_sats, cost_usd } as Parameters<typeof loggedFigures>[0]
  const { sats, usd } = loggedFigures(row)
  return { ...rest, cost_sats: sats, ...(usd === null ? {} : { cost_usd: usd }) }
}

function isExported(members: Record<string, unknown>): boolean {
  const always = ['id', 'segment', 'byte_offset', 'stream_duration_ms']
  return members['type'] === undefined && always.every((member) => Object.hasOwn(members, member))
}

export const warningsForPeople = {
  warn: (fields: object, message: string) => note(`warning: ${describeWarning(fields, message)}`),
  error: (fields: object, message: string) => note(`error: ${describeWarning(fields, message)}`),
}

function describeWarning(fields: object, message: string): string {
  const { err, ...rest } = fields as { err?: unknown }
  const reason = err instanceof Error ? `: ${err.message}` : ''
  const details = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`
  return visible(`${message}${reason}${details}`)
}
