import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { countText } from '../maintenance/count-text.js'
import type { DemoProjector } from './demo/demo-projector.js'
import type { ProjectionWatch } from './demo/demo-watch.js'
import { formatCount, formatMs } from './output/format.js'
import { ProgressLine } from './output/progress.js'
import { note } from './output/standard-error.js'
import { pageWidth, print } from './output/standard-output.js'
import type { ProgramCommand } from './run/command.js'
import { withDatabase } from './run/database.js'
import { CommandFailure } from './run/failure.js'
import { stopOnSignal } from './run/process.js'

const EVENTS = 3000
const EVENTS_PER_SECOND = 400
const SEED = 20261122
/**
 * The time between two appends, and between two looks at the database: latency is measured to this.
 */
const STEP_MS = 2
/** A slow machine needs far less. */
const GIVE_UP_MS = 18_000

export function addDemo(program: ProgramCommand): void {
  program
    .command('demo')
    .summary('the whole thing in one command')
    .description(
      'Shows the whole thing in ten seconds: appends made-up traffic to a new journal in the temporary ' +
        'directory while a second process projects it, then asks the database. Leaves journal and ' +
        'database there to play with.',
    )
    .examples('request-journal demo')
    .action(runDemo)
}

async function runDemo(): Promise<void> {
  const { DemoProjector } = await import('./demo/demo-projector.js')
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-demo-'))
  const journal = join(directory, 'journal')
  const databasePath = join(directory, 'requests.db')
  print(
    `${formatCount(EVENTS)} events at ${EVENTS_PER_SECOND} a second into ${journal},\n` +
      `projected into ${databasePath} by a second process:`,
  )
  const projector = new DemoProjector(journal, databasePath)
  removeOnSignal(directory, projector)
  const watch = await appendAndWatch(journal, databasePath, projector).finally(() => projector.stop())
  await printResult({ directory, journal, databasePath }, watch)
}

async function appendAndWatch(
  directory: string,
  databasePath: string,
  projector: DemoProjector,
): Promise<ProjectionWatch> {
  const { openJournal } = await import('../journal/append/journal.js')
  const { demoBook, demoEvents } = await import('./demo/demo-events.js')
  const { ProjectionWatch } = await import('./demo/demo-watch.js')
  const appendedAt: number[] = []
  const watch = new ProjectionWatch(databasePath, appendedAt)
  const line = new ProgressLine(1000)
  const journal = openJournal({ directory })
  const startedAt = performance.now()
  try {
    const book = demoBook(Date.now())
    for (const event of book) {
      appendedAt.push(performance.now())
      journal.append(event)
    }
    const events = demoEvents(EVENTS - book.length, SEED)
    while (watch.projected < EVENTS) {
      const elapsedMs = performance.now() - startedAt
      if (elapsedMs > GIVE_UP_MS) throw new CommandFailure(gaveUp(appendedAt.length, watch))
      projector.assertRunning()
      const due = Math.min(EVENTS, Math.floor((elapsedMs / 1000) * EVENTS_PER_SECOND))
      while (appendedAt.length < due) {
        const { value: event, done } = events.next()
        if (done) break
        // Taken before the call: the write itself belongs to the latency.
        appendedAt.push(performance.now())
        journal.record(event)
      }
      watch.look()
      const text = describeProgress(appendedAt.length, watch.projected)
      line.show(() => text, watch.projected === EVENTS)
      await sleep(STEP_MS)
    }
    await journal.flush()
    return watch
  } finally {
    line.erase()
    watch.close()
    await journal.close()
  }
}

function describeProgress(appended: number, projected: number): string {
  const lag = appended - projected
  return `appended ${formatCount(appended)}  projected ${formatCount(projected)}  lag ${countText(lag, 'event')}`
}

function gaveUp(appended: number, watch: ProjectionWatch): string {
  const counts = describeProgress(appended, watch.projected)
  return `After ${GIVE_UP_MS / 1000} s not everything was projected (${counts}): this machine is very slow, or the projector hangs`
}

async function printResult(
  paths: { directory: string; journal: string; databasePath: string },
  watch: ProjectionWatch,
): Promise<void> {
  const { stats } = await import('../queries/sums/stats.js')
  const { formatStats } = await import('./output/stats-page.js')
  const answer = await withDatabase(paths.databasePath, (database) =>
    stats(database, { groupBy: 'model', percentiles: true, unknown: true }),
  )
  print(describeProgress(EVENTS, watch.projected))
  const median = watch.latencyMs(0.5)
  if (median !== null) {
    const slow = formatMs(watch.latencyMs(0.99))
    print(`from append to visible in SQL: ${formatMs(median)} in the median, 99 % within ${slow}`)
  }
  print(`\n${formatStats(answer, pageWidth())}`)
  const program = programName()
  print(`
journal   ${paths.journal}
database  ${paths.databasePath}
Both stay there until you remove them: rm -r ${paths.directory}

Try next:
  $ export REQUEST_JOURNAL_DIR=${paths.journal}
  $ export REQUEST_JOURNAL_DB=${paths.databasePath}
  $ ${program} requests
  $ ${program} status
  $ ${program} replay
  $ tail -1 ${paths.journal}/*.ndjson`)
}

/**
 * The command that started this process: the demo often runs from a checkout, without an installed
 * `request-journal`.
 */
function programName(): string {
  const script = process.argv[1] ?? ''
  if (!script.endsWith('main.js')) return 'request-journal'
  const fromHere = relative(process.cwd(), script)
  return `node ${fromHere.startsWith('..') ? script : fromHere}`
}

/** Removes everything when the demo is interrupted. */
function removeOnSignal(directory: string, projector: DemoProjector): void {
  stopOnSignal().addEventListener('abort', async () => {
    // The terminal shows ^C: after it the prompt gets a line of its own.
    if (process.stderr.isTTY) note('')
    await projector.stop()
    rmSync(directory, { recursive: true, force: true })
    process.exit()
  })
}
