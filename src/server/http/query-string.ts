import { badRequest } from './errors.js'

/** A query string taken apart. */
export interface QueryString {
  /** The first value of each name. */
  values: ReadonlyMap<string, string>
  /** Names that came more than once. */
  repeated: ReadonlySet<string>
}

/**
 * Takes a query string apart by the rules of forms: `&` between, `+` is a space, the rest percent-encoded UTF-8. A name
 * without `=` has an empty value.
 *
 * @throws HttpError 400 where the encoding is broken.
 */
export function parseQueryString(text: string): QueryString {
  const values = new Map<string, string>()
  const repeated = new Set<string>()
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals === -1 ? pair : pair.slice(0, equals))
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1))
    if (values.has(name)) repeated.add(name)
    else values.set(name, value)
  }
  return { values, repeated }
}

function decode(text: string): string {
  const spaced = text.replaceAll('+', ' ')
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    throw badRequest(`the query string cannot be parsed: '${text}' is not percent-encoded UTF-8`)
  }
}
