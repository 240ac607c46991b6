import type { JournalLogger } from '../../journal/logger.js'
import { Access } from './access.js'
import { isSecretHeader } from './headers.js'
import { resolveUpstreams, type Upstream, type UpstreamOptions } from './upstreams.js'

export interface ProxyOptions {
  /**
   * Where all requests go: a URL such as `https://api.openai.com`. If it has a path, that is put
   * before the path of each request. Give either this or `upstreams`.
   */
  upstream?: string | undefined
  /**
   * Where requests go, by the prefix of their path, which is removed: `{ '/openai':
   * 'https://api.openai.com' }`. The longest matching prefix wins, and `/` matches every path.
   */
  upstreams?: Record<string, string | UpstreamOptions> | undefined
  /**
   * The provider that requests are logged with, if their upstream names none.
   * @default the provider that is known by the upstream's host, such as `openai` for
   *   api.openai.com; otherwise the host's name
   */
  provider?: string | undefined
  /** Labels that every request gets. */
  labels?: Record<string, string> | undefined
  /**
   * Labels whose value is that of a request header, by the header's name: `{ 'x-user': 'user' }`.
   * Headers with keys aren't allowed here.
   */
  labelHeaders?: Record<string, string> | undefined
  /**
   * Asks for usage in streams of chat completions, which otherwise report no tokens, and removes
   * the chunk that reports them from what the client gets. A request isn't changed if it already
   * says whether it wants usage, or is longer than 1 MiB.
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
   * The token that requests must have in the header `x-request-journal-token`, which isn't passed
   * on.
   * @default no token is required
   */
  token?: string | undefined
  /**
   * Whether anyone who can reach the proxy may use it.
   * @default false
   */
  open?: boolean | undefined
  /**
   * Names that the Host header may have, besides `localhost`, `host` and any IP address. It's only
   * checked if neither a token nor `open` is given.
   * @default []
   */
  allowedHosts?: readonly string[] | undefined
  /**
   * How long `close` waits for answers to end, in milliseconds.
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
  /** Pairs of a header's name, in lower case, and the label that gets its value. */
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
