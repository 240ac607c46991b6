/** The beginning of the names of the proxy's own headers, which aren't passed on. */
const OWN_PREFIX = 'x-request-journal-'

/**
 * The request header with the proxy's token. `authorization` can't have it: the upstream's key is
 * there.
 */
export const TOKEN_HEADER = `${OWN_PREFIX}token`

/** In a request, the id that ties its attempts together; in an answer, the id that is logged. */
export const CORRELATION_HEADER = `${OWN_PREFIX}correlation-id`

/**
 * Headers that are about a single connection (RFC 9110, 7.6.1), and `expect`, which the proxy
 * answers itself: with 100, before it reads the body.
 */
const HOP_BY_HOP = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The last word in the names of headers with secrets: `x-portkey-api-key`, `helicone-auth`. */
const SECRET_WORD =
  /(?:^|[-_.]|api|auth|access|secret)(?:key|token|auth|authorization|secret|password|passwd|credentials?|cookie|signature|assertion|jwt|bearer)$/

/** Headers with secrets whose names don't end in such a word. */
const OTHER_SECRETS: ReadonlySet<string> = new Set(['dpop', 'x-amzn-oidc-data', 'x-forwarded-client-cert'])

/** Headers without secrets whose names end in such a word. */
const NO_SECRETS: ReadonlySet<string> = new Set(['idempotency-key', 'x-idempotency-key'])

/** Whether a header, by its name in lower case, may have a secret, and so can't become a label. */
export function isSecretHeader(name: string): boolean {
  return OTHER_SECRETS.has(name) || (SECRET_WORD.test(name) && !NO_SECRETS.has(name))
}

/** Names and values in turn, as they were received. */
type RawHeaders = readonly (string | Buffer)[]

/**
 * The headers that a request is sent to the upstream with: the client's, in their order and case,
 * except for those that only concern the proxy. undici adds `Host`.
 *
 * @param isObserved whether the answer will be read as it passes, and so shouldn't be compressed.
 * @param isWhole whether the body is sent as a whole, so that undici adds its length.
 */
export function headersForUpstream(
  raw: RawHeaders,
  { isObserved, isWhole }: { isObserved: boolean; isWhole: boolean },
): string[] {
  const dropped = ['host', ...(isObserved ? ['accept-encoding'] : []), ...(isWhole ? ['content-length'] : [])]
  const kept = passedOn(raw, (name) => dropped.includes(name))
  if (isObserved) kept.push('accept-encoding', 'identity')
  return kept
}

/**
 * The headers that the client gets with an answer: the upstream's, in their order and case.
 *
 * @param isFiltered whether the body may become shorter than its content-length says.
 */
export function headersForClient(
  raw: RawHeaders,
  correlationId: string | null,
  isFiltered: boolean,
): string[] {
  const kept = passedOn(raw, (name) => isFiltered && name === 'content-length')
  if (correlationId !== null) kept.push(CORRELATION_HEADER, correlationId)
  return kept
}

function passedOn(raw: RawHeaders, isDropped: (name: string) => boolean): string[] {
  const kept: string[] = []
  let connectionOnly: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = textOf(raw[i])
    const key = name.toLowerCase()
    // This header declares other headers to be hop-by-hop as well.
    if (key === 'connection') connectionOnly = [...connectionOnly, ...namesIn(textOf(raw[i + 1]))]
    if (HOP_BY_HOP.has(key) || key.startsWith(OWN_PREFIX) || isDropped(key)) continue
    kept.push(name, textOf(raw[i + 1]))
  }
  return connectionOnly.length === 0 ? kept : without(kept, connectionOnly)
}

/** The headers that a Connection header names, except for those that are left out anyway. */
function namesIn(connection: string): string[] {
  const names = connection.split(',').map((name) => name.trim().toLowerCase())
  return names.filter((name) => name !== 'close' && !HOP_BY_HOP.has(name))
}

function without(headers: readonly string[], names: readonly string[]): string[] {
  return headers.filter((_, at) => !names.includes((headers[at - (at % 2)] ?? '').toLowerCase()))
}

/** The value of a header as Node.js and undici give it; null if it isn't there. */
export function headerText(value: string | string[] | undefined): string | null {
  if (value === undefined) return null
  return typeof value === 'string' ? value : value.join(', ')
}

function textOf(value: string | Buffer | undefined): string {
  return typeof value === 'string' ? value : (value?.toString('latin1') ?? '')
}
