import { once } from 'node:events'
import type { Command } from 'commander'
import type { Logger } from 'pino'
import type { Server, ServerOptions } from '../server/index.js'
import { continueWithoutStdout, print } from './output/standard-output.js'
import type { ProgramCommand } from './run/command.js'
import { parseHost, parseHostNames, readToken } from './run/listening.js'
import { createLogger } from './run/logger.js'
import { parsePath, wholeNumberBetween } from './run/options.js'
import { killAfter, runDaemon } from './run/process.js'
import { programName } from './run/program-name.js'
import { SystemdNotifier } from './run/systemd-notifier.js'

interface ServeFlags extends ServerOptions {
  tokenFile?: string
  ingestTokenFile?: string
  logLevel: string
}

/** Clients get 5 seconds for their answers, and the projector a little longer. */
const STOP_MS = 8000

export function addServe(program: ProgramCommand): void {
  program
    .command('serve')
    .summary('HTTP API, dashboard and metrics')
    .description(
      'Serves the database over HTTP until SIGTERM or Ctrl-C: the dashboard at /, GET /v1/stats, ' +
        '/v1/series, /v1/requests and /v1/stream, /metrics for Prometheus, /healthz and /livez, and ' +
        '/openapi.json with all of it. Waits for a database that does not exist yet. A database in PostgreSQL ' +
        'has the requests of all journals, and needs no journal here. With --project it runs the projector ' +
        "too, and exits with 1 if that can't continue. With --ingest it appends what is sent to POST " +
        '/v1/events to the journal. With a token, from --token-file or REQUEST_JOURNAL_TOKEN, every route but ' +
        '/healthz and /livez needs it, as a bearer token or as the password in a browser. Without one it ' +
        'serves this machine only. A token from --ingest-token-file or REQUEST_JOURNAL_INGEST_TOKEN lets ' +
        'clients append requests, and read nothing.',
    )
    .storeOption()
    .journalOption()
    .settingOption('--host <host>', 'the name or address to listen on', parseHost, '127.0.0.1')
    .settingOption('--port <n>', 'the port; 0 means any free one', wholeNumberBetween(0, 65_535), 8790)
    .settingOption('--project', 'run the projector in the same process')
    .rollupLabelOption()
    .settingOption('--ingest', 'take events at POST /v1/events, which needs a token')
    .settingOption(
      '--token-file <file>',
      'a file with the token that clients must give, or with several, one per line, any of which will do',
      parsePath,
    )
    .settingOption(
      '--ingest-token-file <file>',
      'the same for clients that may append requests at POST /v1/events, and nothing else',
      parsePath,
    )
    .settingOption(
      '--allow-host <name>',
      "a host name that requests may have, such as a proxy's; may be repeated",
      parseHostNames,
    )
    .settingOption(
      '--max-lag-seconds <n>',
      '/healthz fails if the lag is greater',
      wholeNumberBetween(1, 1e9),
      60,
    )
    .settingOption(
      '--query-timeout-ms <n>',
      'a query that waits or runs longer ends with 503',
      wholeNumberBetween(1, 3_600_000),
      10_000,
    )
    .settingOption(
      '--max-streams <n>',
      'how many streams may be open at once',
      wholeNumberBetween(0, 10_000),
      64,
    )
    .logLevelOption()
    .examples(
      'request-journal serve --project',
      'request-journal serve --host 0.0.0.0 --token-file /etc/request-journal/token --allow-host logs.example.org',
    )
    .action(serve)
}

async function serve(flags: ServeFlags, command: Command): Promise<void> {
  const project = isOn('project', flags, command)
  const ingest = isOn('ingest', flags, command)
  // The environment variable may be meant for `project`.
  if (!project && command.getOptionValueSource('rollupLabels') === 'cli') {
    command.error("error: option '--rollup-label' needs '--project': only a projector keeps roll-ups")
  }
  if (!ingest && command.getOptionValueSource('ingestTokenFile') === 'cli') {
    command.error("error: option '--ingest-token-file' needs '--ingest'")
  }
  continueWithoutStdout()
  const { tokenFile, ingestTokenFile, logLevel, ...others } = flags
  const logger = await createLogger(logLevel)
  const token = tokensOf(await readToken(tokenFile, logger))
  const ingestToken = ingest
    ? tokensOf(await readToken(ingestTokenFile, logger, 'REQUEST_JOURNAL_INGEST_TOKEN'))
    : undefined
  const rollupLabels = project ? flags.rollupLabels : undefined
  const asked = { ...others, project, ingest, rollupLabels, token, ingestToken }
  const options = { ...asked, logger, program: programName() }
  const { startServer, ServerError } = await import('../server/index.js')
  try {
    await runDaemon(logger, (stop) => serveUntil(stop, () => startServer(options), logger))
  } catch (error) {
    const isWrongUse = error instanceof ServerError && error.code !== 'ADDRESS_UNAVAILABLE'
    if (isWrongUse) command.error(`error: ${error.message}`)
    throw error
  }
}

async function serveUntil(stop: AbortSignal, start: () => Promise<Server>, logger: Logger): Promise<void> {
  stop.addEventListener('abort', () => killAfter(STOP_MS, logger))
  const asked = once(stop, 'abort')
  const server = await start()
  if (!stop.aborted) print(server.url)
  const notifier = new SystemdNotifier(logger)
  notifier.ready()
  // As long as the event loop turns, requests are answered. If the projector can't continue, the
  // server is ended below.
  if (notifier.aliveEveryMs !== null) {
    setInterval(() => notifier.alive(), notifier.aliveEveryMs / 2).unref()
  }
  await Promise.race([asked, server.finished]).catch((error) => {
    // Nothing new would appear any more: the exit code lets whatever supervises it start it again.
    logger.error({ err: error }, "Stopping: the projector can't continue")
    process.exitCode = 1
    killAfter(STOP_MS, logger)
  })
  await server.close()
  logger.info({}, 'Server stopped')
  // After listening on `localhost`, Node would wait for clients of the second address, however long
  // they take.
  process.exit()
}

/** Splits a text into tokens, one per line. An empty text is one, which the server refuses. */
function tokensOf(text: string | undefined): string[] | undefined {
  const lines = text?.split(/\r?\n/)
  return lines?.filter((line) => line !== '' || lines.length === 1)
}

/** Whether a switch is on. Commander takes any value in the environment for yes. */
function isOn(option: 'project' | 'ingest', flags: ServeFlags, command: Command): boolean {
  if (command.getOptionValueSource(option) !== 'env') return flags[option] === true
  const variable = `REQUEST_JOURNAL_${option.toUpperCase()}`
  const found = process.env[variable]
  if (found === '1' || found === 'true') return true
  if (found === '0' || found === 'false' || found === '') return false
  return command.error(`error: ${variable} is '${found}': expected true or false`)
}
