import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
import { programName } from './run/program-name.js'

/** How long the clients send requests. A machine that is too slow sends fewer in this time. */
const SEND_MS = 5000
const REQUESTS_PER_SECOND = 160
const MAX_IN_FLIGHT = 32
/** The time between two polls of journal and database, and so the precision of the latency. */
const POLL_EVERY_MS = 2
/** Even a slow machine needs far less. */
const GIVE_UP_MS = 18_000

export function addDemo(program: ProgramCommand): void {
  program
    .command('demo')
    .summary('the whole thing in one command')
    .description(
      'Shows the whole thing in ten seconds: real clients call a made-up provider on this machine and log ' +
        'their calls to a new journal in the temporary directory, while a second process projects it; then it ' +
        'queries the database. Leaves journal and database there to play with. With --serve it shows the ' +
        'dashboard instead, with two made-up weeks and live traffic of the same clients, until Ctrl-C, which ' +
        'removes everything.',
    )
    .option('--serve', 'show the dashboard, with two weeks of history and live traffic')
    .examples('request-journal demo', 'request-journal demo --serve')
    .action(runDemo)
}

async function runDemo({ serve }: { serve?: true }): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-demo-'))
  if (serve) {
    const { serveDemo } = await import('./demo/serve-demo.js')
    return await serveDemo(directory)
  }
  await showDemo(directory)
}

/**
 * Lets clients send requests, shows how these are logged and projected, and then what the database
 * answers.
 *
 * @param directory an empty folder for journal and database.
 */
export async function showDemo(directory: string, sendMs = SEND_MS): Promise<void> {
  const { DemoProjector } = await import('./demo/demo-projector.js')
  const since = new Date().toISOString()
  const journal = join(directory, 'journal')
  const databasePath = join(directory, 'requests.db')
  const projector = new DemoProjector(journal, databasePath)
  removeOnSignal(directory, projector)
  const sent = await sendAndWatch(journal, databasePath, projector, sendMs).finally(() => projector.stop())
  const before = new Date().toISOString()
  await printResult({ directory, journal, databasePath }, sent, { since, before })
}

async function sendAndWatch(
  directory: string,
  databasePath: string,
  projector: DemoProjector,
  sendMs: number,
): Promise<{ sent: number; watch: ProjectionWatch }> {
  const { openJournal } = await import('../journal/append/journal.js')
  const { demoPrices } = await import('./demo/demo-traffic.js')
  const { makeDemoClient } = await import('./demo/demo-client.js')
  const { startDemoUpstream } = await import('./demo/demo-upstream.js')
  const { ProjectionWatch } = await import('./demo/demo-watch.js')
  const journal = openJournal({ directory })
  const watch = new ProjectionWatch(databasePath, () => journal.counters.appended)
  const line = new ProgressLine(1000)
  const upstream = await startDemoUpstream()
  try {
    for (const event of demoPrices(Date.now())) journal.append(event)
    const client = await makeDemoClient(journal, upstream.baseUrl)
    print(
      `${REQUESTS_PER_SECOND} requests a second by ${client.name}, logged into ${directory},\n` +
        `projected into ${databasePath} by a second process:`,
    )
    const startedAt = performance.now()
    let sent = 0
    let ended = 0
    let isOver = false
    while (!isOver) {
      const elapsedMs = performance.now() - startedAt
      if (elapsedMs > GIVE_UP_MS) throw new CommandFailure(gaveUp(watch))
      projector.assertRunning()
      const due = elapsedMs < sendMs ? (elapsedMs / 1000) * REQUESTS_PER_SECOND : sent
      while (sent < due && sent - ended < MAX_IN_FLIGHT) void client.send(sent++).then(() => ended++)
      watch.poll()
      isOver = elapsedMs >= sendMs && ended === sent && watch.projected === watch.appended
      line.show(() => describeProgress(watch), isOver)
      await sleep(POLL_EVERY_MS)
    }
    await journal.flush()
    return { sent, watch }
  } finally {
    line.erase()
    watch.close()
    upstream.close()
    await journal.close()
  }
}

function describeProgress({ appended, projected }: ProjectionWatch): string {
  const lag = appended - projected
  return `appended ${formatCount(appended)}  projected ${formatCount(projected)}  lag ${countText(lag, 'event')}`
}

function gaveUp(watch: ProjectionWatch): string {
  const counts = describeProgress(watch)
  return `After ${GIVE_UP_MS / 1000} s not everything was projected (${counts}): this machine is very slow, or the projector hangs`
}

async function printResult(
  paths: { directory: string; journal: string; databasePath: string },
  { sent, watch }: { sent: number; watch: ProjectionWatch },
  window: { since: string; before: string },
): Promise<void> {
  const { stats } = await import('../queries/sums/stats.js')
  const { formatStats } = await import('./output/stats-page.js')
  const answer = await withDatabase({ database: paths.databasePath }, (database) =>
    stats(database, { ...window, groupBy: 'model', onlyMatching: true, percentiles: true, unknown: true }),
  )
  print(`${formatCount(sent)} requests sent`)
  print(describeProgress(watch))
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
  $ ${program} serve        # then open http://127.0.0.1:8790/?${pageWindow(window)}
  $ ${program} requests
  $ ${program} status
  $ ${program} replay
  $ tail -1 ${paths.journal}/*.ndjson
  $ ${program} demo --serve   # the page with two weeks of history and live traffic`)
}

/** The dashboard's window in whole minutes, as its fields show it. */
function pageWindow({ since, before }: { since: string; before: string }): string {
  const minute = (ms: number) => `${new Date(ms).toISOString().slice(0, 16)}:00.000Z`
  return `since=${minute(Date.parse(since))}&before=${minute(Date.parse(before) + 60_000)}`
}

/** Removes everything when the demo is interrupted. */
function removeOnSignal(directory: string, projector: DemoProjector): void {
  stopOnSignal().addEventListener('abort', async () => {
    // The terminal shows ^C: the prompt belongs on a line of its own.
    if (process.stderr.isTTY) note('')
    await projector.stop()
    rmSync(directory, { recursive: true, force: true })
    process.exit()
  })
}
