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

/** Headers whose values are secrets: none of them becomes a label. */
export const SECRET_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'api-key',
  'x-api-key',
  'x-goog-api-key',
  TOKEN_HEADER,
])

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
  const dropped = new Set(['host'])
  if (isObserved) dropped.add('accept-encoding')
  if (isWhole) dropped.add('content-length')
  const kept = passedOn(raw, dropped)
  return isObserved ? [...kept, 'accept-encoding', 'identity'] : kept
}

/** The headers of an answer for the client: those that came, in their order and case. */
export function headersForClient(raw: RawHeaders, correlationId: string | null): string[] {
  const kept = passedOn(raw, new Set())
  return correlationId === null ? kept : [...kept, CORRELATION_HEADER, correlationId]
}

function passedOn(raw: RawHeaders, dropped: Set<string>): string[] {
  const kept: string[] = []
  for (const name of namedByConnection(raw)) dropped.add(name)
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = textOf(raw[i])
    const key = name.toLowerCase()
    if (OF_ONE_CONNECTION.has(key) || dropped.has(key) || key.startsWith(OWN_PREFIX)) continue
    kept.push(name, textOf(raw[i + 1]))
  }
  return kept
}

/** The headers that a Connection header declares to be of this connection only. */
function* namedByConnection(raw: RawHeaders): Generator<string> {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (textOf(raw[i]).toLowerCase() !== 'connection') continue
    for (const name of textOf(raw[i + 1]).split(',')) yield name.trim().toLowerCase()
  }
}

function textOf(value: string | Buffer | undefined): string {
  return typeof value === 'string' ? value : (value?.toString('latin1') ?? '')
}
