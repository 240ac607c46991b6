import type { JournalLogger } from '../../journal/logger.js'
import { Access } from './access.js'
import { isSecretHeader } from './headers.js'
import { resolveUpstreams, type Upstream, type UpstreamOptions } from './upstreams.js'

export interface ProxyOptions {
  /**
   * Where all requests go: a URL such as `https://api.openai.com`, which may have a path that comes
   * before that of each request. Either this or `upstreams`.
   */
  upstream?: string | undefined
  /**
   * Where requests go by the beginning of their path, which is taken off: `{ '/openai':
   * 'https://api.openai.com' }`. The longest that matches wins, and `/` matches all.
   */
  upstreams?: Record<string, string | UpstreamOptions> | undefined
  /**
   * The provider that requests are logged with, if their upstream names none.
   * @default by the upstream's host, such as `openai` for api.openai.com; else the host itself
   */
  provider?: string | undefined
  /** Labels of every request. */
  labels?: Record<string, string> | undefined
  /**
   * Labels by the name of the request header that has their value: `{ 'x-user': 'user' }`. Headers
   * with keys aren't allowed here.
   */
  labelHeaders?: Record<string, string> | undefined
  /**
   * Asks for usage in streams of chat completions, which otherwise report no tokens, and takes the
   * chunk that reports them out of what the client gets. A request that says itself whether it
   * wants usage, or is longer than 1 MiB, passes as it is.
   * @default false
   */
  includeUsage?: boolean | undefined
  /**
   * The name or address to listen on. Any but 127.0.0.1, ::1 and localhost needs a token or `open`.
   * @default '127.0.0.1'
   */
  host?: string | undefined
  /**
   * The port to listen on; 0 takes a free one.
   * @default 8791
   */
  port?: number | undefined
  /**
   * The token that requests must have in their header `x-request-journal-token`, which isn't passed
   * on.
   * @default none is asked for
   */
  token?: string | undefined
  /**
   * Lets anyone who reaches the proxy use it.
   * @default false
   */
  open?: boolean | undefined
  /**
   * Names that may stand in the Host header beside `localhost`, `host` and addresses, if neither a
   * token nor `open` is given.
   * @default []
   */
  allowedHosts?: readonly string[] | undefined
  /**
   * How long `close` lets answers go on, in milliseconds.
   * @default 25000
   */
  graceMs?: number | undefined
  /**
   * Takes warnings about upstreams that can't be reached.
   * @default nothing is logged
   */
  logger?: JournalLogger | undefined
}

export interface ResolvedOptions {
  upstreams: readonly Upstream[]
  labels: Record<string, string>
  /** Header, in lower case, and label. */
  labelHeaders: readonly (readonly [string, string])[]
  host: string
  port: number
  access: Access
  graceMs: number
  logger: JournalLogger
}

const silent: JournalLogger = { warn() {}, error() {} }

const NAMES = [
  ...['upstream', 'upstreams', 'provider', 'labels', 'labelHeaders', 'includeUsage', 'host', 'port', 'token'],
  ...['open', 'allowedHosts', 'graceMs', 'logger'],
]

/**
 * Fills the defaults.
 *
 * @throws TypeError for an unknown option or a value out of range; ProxyError TOKEN_REQUIRED,
 *   TOKEN_INVALID, UPSTREAM_INVALID.
 */
export function resolveOptions(options: ProxyOptions): ResolvedOptions {
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) {
      throw new TypeError(`startProxy has no option '${name}'; its options are ${NAMES.join(', ')}`)
    }
  }
  const { upstream, upstreams, provider, labels = {}, labelHeaders = {}, logger = silent } = options
  const {
    includeUsage = false,
    host = '127.0.0.1',
    port = 8791,
    token,
    open = false,
    allowedHosts = [],
    graceMs = 25_000,
  } = options
  const isOne = (upstream === undefined) !== (upstreams === undefined)
  const given = upstream === undefined && upstreams === undefined ? 'neither' : 'both'
  expect(isOne, 'upstream', given, 'either upstream or upstreams')
  expect(provider === undefined || isText(provider), 'provider', provider, 'a name')
  expect(typeof includeUsage === 'boolean', 'includeUsage', includeUsage, 'true or false')
  expect(isText(host), 'host', host, 'a name or an address')
  expect(isWhole(port, 65_535), 'port', port, 'a whole number from 0 to 65535')
  expect(isWhole(graceMs, 86_400_000), 'graceMs', graceMs, 'a whole number from 0 to 86400000')
  expect(token === undefined || typeof token === 'string', 'token', typeof token, 'a text')
  const areTexts = Object.values(labels).every((value) => typeof value === 'string')
  expect(areTexts, 'labels', 'something else', 'an object of names and texts')
  const headers = Object.entries(labelHeaders).map(([name, label]) => [name.toLowerCase(), label] as const)
  for (const [name, label] of headers) {
    expect(isText(label), 'labelHeaders', label, `the name of a label for ${name}`)
    expect(!isSecretHeader(name), 'labelHeaders', name, 'a header without a key or password')
  }
  return {
    upstreams: resolveUpstreams(upstreams ?? { '/': upstream }, { provider, includeUsage }),
    labels: { ...labels },
    labelHeaders: headers,
    host,
    port,
    access: new Access({ host, token: token ?? null, isOpen: open, allowedHosts }),
    graceMs,
    logger,
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isWhole(value: unknown, greatest: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= greatest
}

function expect(holds: boolean, option: string, found: unknown, expected: string): asserts holds {
  if (holds) return
  throw new TypeError(`Option '${option}' of startProxy: found ${String(found)}, expected ${expected}`)
}
