import { providerOfHost } from '../provider-hosts.js'
import { ProxyError } from './errors.js'

/** Where requests are passed on to. */
export interface UpstreamOptions {
  /**
   * The URL to which the rest of a request's path is appended: `https://api.openai.com`, or with a
   * path of its own, `https://openrouter.ai/api`.
   */
  url: string
  /**
   * The provider that its requests are logged with.
   * @default the proxy's `provider`
   */
  provider?: string | undefined
  /** Labels that its requests get besides the proxy's. */
  labels?: Record<string, string> | undefined
  /**
   * Whether the proxy asks for usage in its streams.
   * @default the proxy's `includeUsage`
   */
  includeUsage?: boolean | undefined
}

/** An upstream whose values were checked. */
export interface Upstream {
  /** Requests whose path begins with it go to this upstream; '' matches every path. */
  prefix: string
  origin: string
  /** What is put before the rest of a request's path: '' or a path such as `/api`. */
  basePath: string
  provider: string
  labels: Record<string, string>
  includeUsage: boolean
}

const MEMBERS = ['url', 'provider', 'labels', 'includeUsage']

/**
 * A path segment `.` or `..`, in any encoding that a server may decode before it resolves a path.
 */
const DOT_SEGMENT = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\]|%2f|%5c|$)/i

/** The values of upstreams that don't have their own. */
export type UpstreamDefaults = Pick<UpstreamOptions, 'provider' | 'includeUsage'>

/**
 * Checks the option `upstreams`, and fills what upstreams leave out. If neither an upstream nor
 * `defaults` names a provider, the host decides.
 * @throws ProxyError UPSTREAM_INVALID, naming the prefix.
 */
export function resolveUpstreams(given: unknown, defaults: UpstreamDefaults = {}): Upstream[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalid(
      `found ${Array.isArray(given) ? 'an array' : describe(given)}, expected an object with a path prefix for each upstream: {"/openai": "https://api.openai.com"}`,
    )
  }
  const upstreams = Object.entries(given).map(([prefix, value]) => resolveUpstream(prefix, value, defaults))
  if (upstreams.length === 0) throw invalid('found none, expected at least one')
  // Longest first, so that the longest prefix of a path wins.
  return upstreams.sort((a, b) => b.prefix.length - a.prefix.length)
}

function resolveUpstream(prefix: string, given: unknown, defaults: UpstreamDefaults): Upstream {
  if (prefix !== '/' && (!/^(?:\/[^/?#\s\\%]+)+$/.test(prefix) || DOT_SEGMENT.test(prefix))) {
    throw invalid(
      `found the prefix ${describe(prefix)}, expected a path such as "/openai": it begins with a slash and doesn't end with one`,
    )
  }
  const value: unknown = typeof given === 'string' ? { url: given } : given
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(
      `${prefix}: found ${describe(given)}, expected a URL, or an object with ${MEMBERS.join(', ')}`,
    )
  }
  for (const name of Object.keys(value)) {
    if (!MEMBERS.includes(name)) {
      throw invalid(`${prefix}: unknown member ${describe(name)}; it has ${MEMBERS.join(', ')}`)
    }
  }
  const {
    url,
    provider = defaults.provider,
    labels = {},
    includeUsage = defaults.includeUsage ?? false,
  } = value as { [member in keyof UpstreamOptions]: unknown }
  if (provider !== undefined && (typeof provider !== 'string' || provider === '')) {
    throw invalid(`${prefix}: provider: found ${describe(provider)}, expected a name`)
  }
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
    throw invalid(`${prefix}: labels: found ${describe(labels)}, expected an object of names and texts`)
  }
  for (const [name, text] of Object.entries(labels)) {
    if (typeof text !== 'string') {
      throw invalid(`${prefix}: labels: found ${describe(text)} for ${describe(name)}, expected a text`)
    }
  }
  if (typeof includeUsage !== 'boolean') {
    throw invalid(`${prefix}: includeUsage: found ${describe(includeUsage)}, expected true or false`)
  }
  const { origin, hostname, pathname } = checkedUrl(prefix, url)
  return {
    prefix: prefix === '/' ? '' : prefix,
    origin,
    basePath: pathname.replace(/\/+$/, ''),
    provider: provider ?? providerOfHost(hostname),
    labels: { ...labels },
    includeUsage,
  }
}

function checkedUrl(prefix: string, given: unknown): URL {
  const url = typeof given === 'string' && URL.canParse(given) ? new URL(given) : null
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw invalid(`${prefix}: found ${describe(given)}, expected a URL such as https://api.openai.com`)
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      `${prefix}: found a user or password in the URL, expected none: clients send their own keys`,
    )
  }
  if (url.search !== '' || url.hash !== '') {
    throw invalid(
      `${prefix}: found '${url.search}${url.hash}' at the end of the URL, expected a path at most`,
    )
  }
  return url
}

/** The upstream that a request goes to, and the path that it has there. */
export interface Route {
  upstream: Upstream
  /** With the query. */
  path: string
}

/** Whether a request's target may be passed on: it must be a path that can't climb with `..`. */
export function isPlainPath(target: string): boolean {
  const path = target.split('?', 1)[0] ?? ''
  return path.startsWith('/') && !path.includes('#') && !DOT_SEGMENT.test(path)
}

/** Finds the upstream of a request's target; null if no prefix matches. */
export function routeOf(upstreams: readonly Upstream[], target: string): Route | null {
  for (const upstream of upstreams) {
    const { prefix, basePath } = upstream
    if (!target.startsWith(prefix)) continue
    const rest = target.slice(prefix.length)
    if (rest === '' || rest.startsWith('/')) return { upstream, path: `${basePath}${rest}` || '/' }
    if (rest.startsWith('?')) return { upstream, path: `${basePath === '' ? '/' : basePath}${rest}` }
  }
  return null
}

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

function invalid(problem: string): ProxyError {
  return new ProxyError('UPSTREAM_INVALID', `upstreams: ${problem}`)
}
