import { withoutNul } from '../usage/findings.js'

/** What `labels` and `correlationId` are told of a request. */
export interface OutgoingRequest {
  url: URL
  /** In upper case. */
  method: string
  /** A header's value, by its name in any case; null if the request doesn't have it. */
  header(name: string): string | null
  /** The model that it asks for; null if it can't be told. */
  model: string | null
  /** Whether it asks for a stream. */
  isStreamAsked: boolean
}

export interface LoggedFetchOptions {
  /**
   * Who is asked, as prices name it.
   * @default by the URL's host: `openai` for api.openai.com, …; otherwise the host's name
   */
  provider?: string | undefined
  /** The routing policy that applied. @default none */
  policy?: string | undefined
  /**
   * The caller's own labels, such as user or team, or a function that gives them for a request.
   * A function that throws gives none; of what it gives, a value that is neither a text nor a number
   * is left out.
   * @default none
   */
  labels?:
    | Record<string, string | undefined>
    | ((request: OutgoingRequest) => Record<string, string | undefined> | undefined)
    | undefined
  /**
   * Gives the id that joins the attempts of one request. A function that throws, or returns
   * anything but a text, leaves the default.
   * @default the header `idempotency-key`; for a retry that the client numbers in
   *   `x-stainless-retry-count`, the id of the failed attempt before it; otherwise a new UUID
   */
  correlationId?: ((request: OutgoingRequest) => string | undefined) | undefined
  /** The label that takes the provider's own id of an answer. @default none: it isn't logged */
  responseIdLabel?: string | undefined
  /**
   * Asks for usage in streams of chat completions, which otherwise report no tokens, and takes the
   * chunk that reports them out of what the client reads. Only a body that is a string, as the SDKs
   * send it, is changed so.
   * @default false
   */
  includeUsage?: boolean | undefined
  /** The fetch that does the work. @default the global one, as it is at each call */
  fetch?: typeof globalThis.fetch | undefined
}

const TYPES: Record<keyof LoggedFetchOptions, readonly string[]> = {
  provider: ['string'],
  policy: ['string'],
  labels: ['object', 'function'],
  correlationId: ['function'],
  responseIdLabel: ['string'],
  includeUsage: ['boolean'],
  fetch: ['function'],
}

/** @throws TypeError for an unknown option or one of another type, naming it. */
export function checkOptions(options: LoggedFetchOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`loggedFetch takes an options object; found ${String(options)}`)
  }
  for (const [name, value] of Object.entries(options)) {
    const types = Object.hasOwn(TYPES, name) ? TYPES[name as keyof LoggedFetchOptions] : null
    if (types === null) {
      const names = Object.keys(TYPES).join(', ')
      throw new TypeError(`loggedFetch has no option '${name}'; its options are ${names}`)
    }
    if (value !== undefined && (value === null || !types.includes(typeof value))) {
      throw new TypeError(`loggedFetch: ${name}: found ${describe(value)}, expected ${types.join(' or ')}`)
    }
  }
  if (options.provider === '') {
    throw new TypeError("loggedFetch: provider: found an empty text, expected the provider's name")
  }
  if (typeof options.labels !== 'object') return
  for (const [name, value] of Object.entries(options.labels)) {
    if (value !== undefined && typeof value !== 'string') {
      throw new TypeError(`loggedFetch: labels.${name}: found ${describe(value)}, expected string`)
    }
  }
}

/** The labels among what a caller's function gave. */
export function labelsOf(given: unknown): Record<string, string> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return {}
  const labels = Object.entries(given).filter(([, value]) => /^(string|number)$/.test(typeof value))
  return Object.fromEntries(labels.map(([name, value]) => [withoutNul(name), withoutNul(String(value))]))
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value
}
