import { once } from 'node:events'
import { type Command, InvalidArgumentError } from 'commander'
import type { Logger } from 'pino'
import { isSecretHeader } from '../clients/proxy/headers.js'
import type { ProxiedUpstream, ProxyOptions } from '../clients/proxy/index.js'
import { continueWithoutStdout, print } from './output/standard-output.js'
import { type ApiAndProjector, startApiAndProjector } from './proxy/api-and-projector.js'
import type { CommonFlags, ProgramCommand } from './run/command.js'
import { CommandFailure } from './run/failure.js'
import { parseLabel } from './run/filter-options.js'
import { parseHost, parseHostNames, readToken } from './run/listening.js'
import { createLogger } from './run/logger.js'
import { parsePath, textThat, wholeNumberBetween } from './run/options.js'
import { type Pairs, withPair } from './run/pairs.js'
import { killAfter, runDaemon } from './run/process.js'

export interface ProxyFlags extends CommonFlags, Omit<ProxyOptions, 'upstreams' | 'host'> {
  upstreams?: string
  host: string
  tokenFile?: string
  graceSeconds: number
  project?: true
  serve?: true
  servePort: number
  rollupLabels?: string[]
  logLevel: string
}

/** How long stopping may take, in addition to the grace period for answers. */
const STOP_MS = 8000

const MAX_UPSTREAMS_BYTES = 1024 * 1024

export function addProxy(program: ProgramCommand): void {
  program
    .command('proxy')
    .summary('a reverse proxy that logs: for clients in any language')
    .description(
      'Passes requests on to a provider and logs each call to a model, until SIGTERM or Ctrl-C. A client changes nothing but ' +
        'its base URL, and sends its own key. Requests and answers pass byte for byte, as they come (except for what --include-usage ' +
        'adds to streams that otherwise report no tokens); neither their content nor ' +
        'their headers are kept. With --serve it runs the dashboard and the projector too: one command, from an empty ' +
        'folder to a logged gateway. Listens to this machine only, unless there is a token, from --token-file or ' +
        'REQUEST_JOURNAL_TOKEN, which requests then have in their header x-request-journal-token; or --open. At SIGTERM it ' +
        'takes no more requests, lets answers that have begun end, and makes what is logged durable; a second signal ends it at once.',
    )
    .settingOption('--upstream <url>', 'where requests go: https://api.openai.com', parseText)
    .settingOption(
      '--upstreams <file>',
      'where requests go, by the prefix of their path, as JSON: {"/openai": "https://api.openai.com", …}',
      parsePath,
    )
    .settingOption(
      '--provider <name>',
      "the provider that requests are logged with; by default it follows from the upstream's host",
      parseText,
    )
    .option('--label <name=value>', 'a label of every request; may be repeated', parseLabel)
    .option(
      '--label-header <header=name>',
      'a request header whose value becomes a label; may be repeated; never one with a key',
      parseLabelHeader,
    )
    .option(
      '--include-usage',
      "ask for usage in streams of chat completions if the client doesn't, and remove it from what the client gets",
    )
    .journalOption()
    .storeOption()
    .settingOption('--host <host>', 'the name or address to listen on', parseHost, '127.0.0.1')
    .settingOption('--port <n>', 'the port; 0 means any free one', wholeNumberBetween(0, 65_535), 8791)
    .settingOption('--token-file <file>', 'a file with the token that clients must give', parsePath)
    .option('--open', 'let anyone who reaches the proxy use it, without a token')
    .settingOption(
      '--allow-host <name>',
      'a host name that requests may have besides localhost; may be repeated',
      parseHostNames,
    )
    .settingOption(
      '--grace-seconds <n>',
      'how long answers may continue after SIGTERM',
      wholeNumberBetween(0, 86_400),
      25,
    )
    .option('--project', 'run the projector in the same process')
    .option('--serve', 'run the HTTP API, the dashboard and the projector in the same process')
    .settingOption(
      '--serve-port <n>',
      'the port of the dashboard; 0 means any free one',
      wholeNumberBetween(0, 65_535),
      8790,
    )
    .rollupLabelOption()
    .logLevelOption()
    .examples(
      'request-journal proxy --upstream https://api.openai.com --serve',
      'request-journal proxy --upstreams upstreams.json --label env=prod --label-header x-user=user',
    )
    .action(proxy)
}

async function proxy(flags: ProxyFlags, command: Command): Promise<void> {
  if ((flags.upstream === undefined) === (flags.upstreams === undefined)) {
    command.error("error: expected either '--upstream <url>' or '--upstreams <file>'")
  }
  // The environment variable may be meant for another command.
  const isRollupLabelGiven = command.getOptionValueSource('rollupLabels') === 'cli'
  if (isRollupLabelGiven && !flags.project && !flags.serve) {
    command.error(
      "error: option '--rollup-label' needs '--project' or '--serve': only a projector keeps roll-ups",
    )
  }
  continueWithoutStdout()
  const logger = await createLogger(flags.logLevel)
  const token = await readToken(flags.tokenFile, logger)
  const options = await proxyOptions(flags, token, logger)
  const { ProxyError } = await import('../clients/proxy/errors.js')
  const { resolveOptions } = await import('../clients/proxy/options.js')
  try {
    // Checked before a journal is created.
    resolveOptions(options)
    await runDaemon(logger, (stop) => proxyUntil(stop, flags, options, logger))
  } catch (error) {
    const isWrongUse = error instanceof ProxyError && error.code !== 'ADDRESS_UNAVAILABLE'
    if (isWrongUse) command.error(`error: ${error.message}`)
    throw error
  }
}

async function proxyUntil(
  stop: AbortSignal,
  flags: ProxyFlags,
  options: ProxyOptions,
  logger: Logger,
): Promise<void> {
  const asked = once(stop, 'abort')
  stop.addEventListener('abort', () => killAfter(flags.graceSeconds * 1000 + STOP_MS, logger))
  const { openJournal } = await import('../journal/append/journal.js')
  const { startProxy } = await import('../clients/proxy/index.js')
  const journal = openJournal({ directory: flags.journal, logger })
  let beside: ApiAndProjector | null = null
  try {
    const running = await startProxy(journal, options)
    try {
      beside = await startApiAndProjector(flags, options.token, logger)
      if (!stop.aborted) {
        print(running.url)
        for (const line of baseUrlLines(running.upstreams)) print(line)
        if (beside.url !== null) print(`dashboard ${beside.url}`)
        logger.info(
          { url: running.url, journal: flags.journal, dashboard: beside.url },
          'Passing requests on',
        )
        await asked
      }
    } finally {
      await running.close()
    }
  } finally {
    await journal.close().catch((error) => {
      logger.error({ err: error }, 'Events that were waiting for the disk are lost: it still refuses them')
      process.exitCode = 1
    })
    await beside?.close()
  }
  logger.info({}, 'Proxy stopped')
  process.exit()
}

/** Where some providers' SDKs take their base URL from; the others use OpenAI's variable. */
const VARIABLES: Record<string, string> = {
  anthropic: 'ANTHROPIC_BASE_URL',
  google: 'GOOGLE_GEMINI_BASE_URL',
}

/** The variable that clients of each upstream set, for a shell: `OPENAI_BASE_URL=…`. */
function baseUrlLines(upstreams: readonly ProxiedUpstream[]): string[] {
  return upstreams.map(({ provider, url, target }) => {
    const variable = VARIABLES[provider]
    if (variable !== undefined) return `${variable}=${url}`
    // Clients of OpenAI's API have the version in their base URL; a target may have it already.
    return `OPENAI_BASE_URL=${url}${/\/v\d+$/.test(target) ? '' : '/v1'}`
  })
}

async function proxyOptions(
  flags: ProxyFlags,
  token: string | undefined,
  logger: Logger,
): Promise<ProxyOptions> {
  const { upstream, provider, labels, labelHeaders, includeUsage, host, port, open, allowedHosts } = flags
  const asked = { upstream, provider, labels, labelHeaders, includeUsage, host, port, open, allowedHosts }
  const upstreams = flags.upstreams === undefined ? undefined : await readUpstreams(flags.upstreams)
  return { ...asked, upstreams, token, graceMs: flags.graceSeconds * 1000, logger }
}

/** Reads the file. Its content is checked when the proxy starts. */
async function readUpstreams(file: string): Promise<NonNullable<ProxyOptions['upstreams']>> {
  const { readSmallFile, reasonOf } = await import('../journal/file-system.js')
  try {
    return JSON.parse(readSmallFile(file, MAX_UPSTREAMS_BYTES))
  } catch (error) {
    const what = error instanceof SyntaxError ? "isn't JSON" : "can't be read"
    throw new CommandFailure(`the file of upstreams ${file} ${what}: ${reasonOf(error)}`)
  }
}

const parseText = textThat((text) => text !== '' && !text.startsWith('-'), 'Expected a value.')

function parseLabelHeader(text: string, before: Pairs = {}): Pairs {
  const [, header, label] = /^([\w!#$%&'*+.^`|~-]+)=(.+)$/.exec(text) ?? []
  if (header === undefined || label === undefined) {
    throw new InvalidArgumentError('Expected header=name, such as x-user=user.')
  }
  const name = header.toLowerCase()
  if (isSecretHeader(name)) throw new InvalidArgumentError('Expected a header without a key or password.')
  return withPair(before, name, label)
}
