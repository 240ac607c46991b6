/** Headers of this name are between a client and this proxy, and aren't passed on. */
const OWN_PREFIX = 'x-request-journal-'

/** The request header with the proxy's token: `authorization` has the upstream's key. */
export const TOKEN_HEADER = `${OWN_PREFIX}token`

/** Joins attempts of one request, and tells a client under which id its request is logged. */
export const CORRELATION_HEADER = `${OWN_PREFIX}correlation-id`

/**
 * Headers that say something about one connection (RFC 9110, 7.6.1), and what a proxy answers by
 * itself: `expect` was answered with 100 before the body was read.
 */
const OF_ONE_CONNECTION = new Set([
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

/** The last word of a header's name that has a secret: `x-portkey-api-key`, `helicone-auth`. */
const SECRET_WORD =
  /(?:^|[-_.]|api|auth|access|secret)(?:key|token|auth|authorization|secret|password|passwd|credentials?|cookie|signature|assertion|jwt|bearer)$/

/** Headers with secrets whose names don't end so. */
const OTHER_SECRETS: ReadonlySet<string> = new Set(['dpop', 'x-amzn-oidc-data', 'x-forwarded-client-cert'])

/** Headers whose names end so, and that have none. */
const NO_SECRETS: ReadonlySet<string> = new Set(['idempotency-key', 'x-idempotency-key'])

/** Whether a header's value may be a secret, by its name in lower case: then it becomes no label. */
export function isSecretHeader(name: string): boolean {
  return OTHER_SECRETS.has(name) || (SECRET_WORD.test(name) && !NO_SECRETS.has(name))
}

/** Names and values in turn, as they came. */
type RawHeaders = readonly (string | Buffer)[]

/**
 * The headers of a request for the upstream: those that came, in their order and case, without the
 * ones between the client and this proxy. `Host` is left to whoever connects.
 *
 * @param isObserved asks for an answer that isn't compressed, so that it can be read while it
 *   passes.
 * @param isWhole the body is sent as a whole, with a length of its own.
 */
export function headersForUpstream(
  raw: RawHeaders,
  { isObserved, isWhole }: { isObserved: boolean; isWhole: boolean },
): string[] {
  const kept = passedOn(raw, (name) => {
    switch (name) {
      case 'host':
        return true
      case 'accept-encoding':
        return isObserved
      case 'content-length':
        return isWhole
      default:
        return false
    }
  })
  if (isObserved) kept.push('accept-encoding', 'identity')
  return kept
}

/**
 * The headers of an answer for the client: those that came, in their order and case.
 *
 * @param isFiltered the body may become shorter than its length says.
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
  let named: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = textOf(raw[i])
    const key = name.toLowerCase()
    // It declares other headers to be of this connection only.
    if (key === 'connection') named = [...named, ...namesIn(textOf(raw[i + 1]))]
    if (OF_ONE_CONNECTION.has(key) || key.startsWith(OWN_PREFIX) || isDropped(key)) continue
    kept.push(name, textOf(raw[i + 1]))
  }
  return named.length === 0 ? kept : without(kept, named)
}

/** The headers that a Connection header names, and that aren't left out anyway. */
function namesIn(connection: string): string[] {
  const names = connection.split(',').map((name) => name.trim().toLowerCase())
  return names.filter((name) => name !== 'close' && !OF_ONE_CONNECTION.has(name))
}

function without(headers: readonly string[], names: readonly string[]): string[] {
  return headers.filter((_, at) => !names.includes((headers[at - (at % 2)] ?? '').toLowerCase()))
}

function textOf(value: string | Buffer | undefined): string {
  return typeof value === 'string' ? value : (value?.toString('latin1') ?? '')
}
