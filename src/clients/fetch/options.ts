import { withoutNul } from '../usage/values.js'

/** The request that the functions `labels` and `correlationId` get. */
export interface OutgoingRequest {
  url: URL
  /** In upper case. */
  method: string
  /** A header's value, by its name in any case; null if the request doesn't have it. */
  header(name: string): string | null
  /** The model that it asks for; null if that can't be read. */
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
   * The caller's own labels, such as user or team, or a function that returns them for a request.
   * If the function throws, there are none; a value that is neither a text nor a number is left
   * out.
   * @default none
   */
  labels?:
    | Record<string, string | undefined>
    | ((request: OutgoingRequest) => Record<string, string | undefined> | undefined)
    | undefined
  /**
   * Returns the id that ties the attempts of one request together. If it throws, or returns
   * anything but a text, the default applies.
   * @default the header `idempotency-key`; for a retry that the client numbers in
   *   `x-stainless-retry-count`, the id of the failed attempt before it; otherwise a new UUID
   */
  correlationId?: ((request: OutgoingRequest) => string | undefined) | undefined
  /** The label that gets the provider's own id of an answer. @default none: it isn't logged */
  responseIdLabel?: string | undefined
  /**
   * Asks for usage in streams of chat completions, which otherwise report no tokens, and removes
   * the chunk that reports them from what the client reads. Only requests whose body is a string,
   * as the SDKs send it, are changed.
   * @default false
   */
  includeUsage?: boolean | undefined
  /** The fetch that sends requests. @default the global one at the time of each call */
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

/** The texts and numbers in what a caller's function returned, as labels. */
export function labelsOf(given: unknown): Record<string, string> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return {}
  const labels = Object.entries(given).filter(([, value]) => /^(string|number)$/.test(typeof value))
  return Object.fromEntries(labels.map(([name, value]) => [withoutNul(name), withoutNul(String(value))]))
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value
}
