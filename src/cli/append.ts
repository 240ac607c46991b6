import type { EventInput, RequestLog } from '../events/event-types.js'
import { FIELDS } from '../events/fields.js'
import type { Journal } from '../journal/append/journal.js'
import type { LineScanner, ScannedLine } from '../journal/read/line-scanner.js'
import { countText } from '../maintenance/count-text.js'
import { formatCount } from './output/format.js'
import { note } from './output/standard-error.js'
import { print, printJson } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import type { ProgramCommand } from './run/command.js'
import { describeFailure } from './run/failure.js'

/** How many bad lines are named one by one. */
const NAMED_LINES = 20

export function addAppend(program: ProgramCommand): void {
  program
    .command('append')
    .summary('append events from stdin')
    .description(
      'Reads events from stdin, one JSON object a line, and appends each to the journal as it arrives; takes ' +
        'what `export` writes as well, where a completed stream becomes two events; ' +
        'creates the journal if there is none. A bad line is named on stderr by number and reason, the ' +
        'rest is appended, and the exit code is 1. When it exits, everything it has appended survives a power ' +
        'cut.',
    )
    .journalOption()
    .jsonOption()
    .examples(
      `echo '{"model":"gpt-4o","latency_ms":812,"success":true}' | request-journal append`,
      'request-journal append --journal /var/log/requests < events.ndjson',
    )
    .action(append)
}

async function append(options: { journal: string; json?: true }): Promise<void> {
  const { openJournal } = await import('../journal/append/journal.js')
  const { isBlank, LineScanner } = await import('../journal/read/line-scanner.js')
  const lines = await import('../events/line.js')
  const { JournalWriteError } = await import('../journal/errors.js')
  const { InvalidEventError } = await import('../events/errors.js')
  const journal = openJournal({ directory: options.journal, logger: warningsForPeople })
  const run = new AppendRun(journal, { ...lines, isBlank, InvalidEventError })
  if (process.stdin.isTTY) note('Reading events from stdin, one JSON object a line; Ctrl-D ends.')
  let unexpected: unknown = null
  // `tail -f … | request-journal append` usually ends like this: stop reading, then sync and answer
  // as at the end of stdin.
  let signalled: 'SIGINT' | 'SIGTERM' | null = null
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      signalled ??= signal
      process.stdin.destroy()
    })
  }
  try {
    await readStdin(new LineScanner(), run, () => signalled !== null)
  } catch (error) {
    process.exitCode = 1
    if (!(error instanceof JournalWriteError)) unexpected = error
    else
      note(`line ${run.line}: ${visible(error.message)}; stopped here, nothing from this line on is appended`)
  }
  // Also after a failure: the events before it have to be synced.
  try {
    await journal.close()
  } catch (error) {
    note(describeFailure(error))
    process.exitCode = 1
  }
  if (unexpected !== null) throw unexpected
  if (run.refused > NAMED_LINES) note(`… and ${countText(run.refused - NAMED_LINES, 'more line')} refused`)
  if (run.refused > 0) process.exitCode = 1
  if (signalled !== null) process.exitCode = signalled === 'SIGINT' ? 130 : 143
  const { appended, refused } = run
  if (options.json) printJson({ appended, refused, journal_id: journal.identity.journal_id })
  else
    print(
      `${countText(appended, 'event')} appended to ${visible(options.journal)}, ${formatCount(refused)} refused`,
    )
}

async function readStdin(scanner: LineScanner, run: AppendRun, isStopped: () => boolean): Promise<void> {
  try {
    for await (const chunk of process.stdin) for (const line of scanner.scan(chunk)) run.add(line)
  } catch (error) {
    // A destroyed stream ends with an error.
    if (!isStopped()) throw error
  }
  // The last line may have no newline, but a line that a signal has cut isn't one.
  if (scanner.pendingBytes > 0 && !isStopped()) {
    for (const line of scanner.scan(Buffer.from('\n'))) run.add(line)
  }
}

type Codec = Pick<typeof import('../events/line.js'), 'parseLine' | 'MAX_LINE_BYTES'> &
  Pick<typeof import('../journal/read/line-scanner.js'), 'isBlank'> &
  Pick<typeof import('../events/errors.js'), 'InvalidEventError'>

/** Appends lines and counts what became of them. */
class AppendRun {
  /** The number of the last line, from 1; blank ones count here. */
  line = 0
  appended = 0
  refused = 0
  readonly #journal: Journal
  readonly #codec: Codec

  constructor(journal: Journal, codec: Codec) {
    this.#journal = journal
    this.#codec = codec
  }

  /** @throws JournalWriteError when the disk refuses. */
  add(line: ScannedLine): void {
    const { isBlank, parseLine, MAX_LINE_BYTES, InvalidEventError } = this.#codec
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
      // append checks whether it is one.
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

/**
 * The members of a completion: those that it overwrites, and those that say which request it
 * belongs to.
 */
const COMPLETION_MEMBERS = Object.keys(FIELDS.stream_completed)

/**
 * The events that a line of stdin stands for. A line of an export is a request as it was in the
 * end: a completed one becomes two events, which make the same row again. Any other line is an
 * event itself.
 */
function eventsOf(members: Record<string, unknown>): EventInput[] {
  if (!isExported(members)) return [members as unknown as EventInput]
  const { stream_duration_ms: duration, ...request } = members
  for (const member of PLACE_MEMBERS) delete request[member]
  const isCompleted = duration !== null || Object.hasOwn(members, 'completed_segment')
  if (!isCompleted) return [request as unknown as EventInput]
  const outcome = COMPLETION_MEMBERS.filter((member) => Object.hasOwn(members, member))
  const completion = Object.fromEntries(outcome.map((member) => [member, members[member]]))
  return [request, { type: 'stream_completed', ...completion }] as unknown as EventInput[]
}

function isExported(members: Record<string, unknown>): boolean {
  const always = ['id', 'segment', 'byte_offset', 'stream_duration_ms']
  return members['type'] === undefined && always.every((member) => Object.hasOwn(members, member))
}

const warningsForPeople = {
  warn: (fields: object, message: string) => note(`warning: ${describeWarning(fields, message)}`),
  error: (fields: object, message: string) => note(`error: ${describeWarning(fields, message)}`),
}

function describeWarning(fields: object, message: string): string {
  const { err, ...rest } = fields as { err?: unknown }
  const reason = err instanceof Error ? `: ${err.message}` : ''
  const details = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`
  return visible(`${message}${reason}${details}`)
}
