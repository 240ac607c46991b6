import type { Command } from 'commander'
import { countText } from '../maintenance/count-text.js'
import type { ProjectorOptions, ProjectResult } from '../projection/projector.js'
import { withElapsedTime } from './output/elapsed.js'
import { formatMs } from './output/format.js'
import { continueWithoutStdout, printAnswer } from './output/standard-output.js'
import type { JsonFlag, ProgramCommand } from './run/command.js'
import { createLogger } from './run/logger.js'
import { keepNewSpaceSmall, runDaemon } from './run/process.js'
import { SystemdNotifier } from './run/systemd-notifier.js'

type ProjectFlags = ProjectorOptions & JsonFlag & { once?: true; logLevel: string }

export function addProject(program: ProgramCommand): void {
  program
    .command('project')
    .summary('the projector: follow the journal into the database')
    .description(
      'Projects the journal into the database and follows it until SIGTERM or Ctrl-C; waits for a ' +
        'journal that does not exist yet, and creates the database. Only one projector works on a database at a ' +
        'time. With --once it catches up and exits; rejected lines are counted, and are ' +
        'not a failure.',
    )
    .journalOption()
    .storeOption()
    .chunksOption()
    .option('--once', 'catch up and exit')
    .option(
      '--allow-missing',
      'continue, in this run and later ones, without segments that are gone although they were projected, ' +
        'sealed or archived',
    )
    .rollupLabelOption()
    .logLevelOption()
    .jsonOption('only with --once')
    .examples(
      'request-journal project --journal /var/log/requests --db /var/lib/requests.db',
      'request-journal project --once --json',
    )
    .action(async (flags: ProjectFlags, command: Command) => {
      if (flags.once) await projectOnceAndReport(flags)
      else if (flags.json) command.error("error: option '--json' needs '--once': a daemon has no last line")
      else await followJournal(flags)
    })
}

async function projectOnceAndReport(flags: ProjectFlags): Promise<void> {
  keepNewSpaceSmall()
  const { projectOnce } = await import('../projection/projector.js')
  const logger = await createLogger(flags.logLevel)
  const result = await withElapsedTime(() => projectOnce({ ...flags, logger }))
  printAnswer(result, flags, describeResult)
}

/** `28,185 events (20,012 requests) projected in 400 ms, 0 lines rejected` */
export function describeResult(result: Omit<ProjectResult, 'lines' | 'unchecked'>): string {
  const advice = result.rejected > 0 ? ': see `request-journal rejected`' : ''
  const { projected, requests, rejected, elapsed_ms } = result
  const ofThem = requests === projected ? '' : ` (${countText(requests, 'request')})`
  return `${countText(projected, 'event')}${ofThem} projected in ${formatMs(elapsed_ms)}, ${countText(rejected, 'line')} rejected${advice}`
}

async function followJournal(flags: ProjectFlags): Promise<void> {
  continueWithoutStdout()
  keepNewSpaceSmall()
  const { startProjector } = await import('../projection/projector.js')
  const logger = await createLogger(flags.logLevel)
  // The timers of a projector don't keep the process alive, but this one does.
  const hold = setInterval(() => {}, 2 ** 30)
  await runDaemon(logger, async (stop) => {
    const notifier = new SystemdNotifier(logger)
    const onAlive = () => notifier.alive()
    const projector = await startProjector({ ...flags, logger, onAlive })
    notifier.ready()
    stop.addEventListener('abort', () => void projector.stop())
    if (stop.aborted) void projector.stop()
    await projector.finished.catch((error) => {
      // The projector has logged why it can't continue. Say it again only if that level isn't
      // logged.
      if (!logger.isLevelEnabled('error')) throw error
      process.exitCode = 1
    })
  }).finally(() => clearInterval(hold))
}
