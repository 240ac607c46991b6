type Input = Parameters<typeof globalThis.fetch>[0]
type Init = Parameters<typeof globalThis.fetch>[1]

/** A request as the arguments of a call of fetch describe it. Reading it consumes nothing. */
export interface FetchRequest {
  url: URL
  method: string
  header(name: string): string | null
  /**
   * The body as bytes. Null if it can't be read without consuming it, as with a stream, a Blob or
   * the body of a Request.
   */
  body: Uint8Array | null
  signal: AbortSignal | null
}

/** @throws what a caller's getter throws, or a TypeError if the URL isn't absolute. */
export function fetchRequestOf(input: Input, init: Init): FetchRequest {
  const request = input instanceof Request ? input : null
  const url = new URL(request === null ? String(input) : request.url)
  const given = init?.headers
  const headers = given instanceof Headers ? given : given == null ? request?.headers : new Headers(given)
  const form = fieldsOf(init?.body)
  return {
    url,
    method: (init?.method ?? request?.method ?? 'GET').toUpperCase(),
    // A form is passed on as JSON that has only the fields that matter.
    header: (name) =>
      form !== null && name.toLowerCase() === 'content-type'
        ? 'application/json'
        : (headers?.get(name) ?? null),
    body: form ?? bytesOf(init?.body),
    signal: init?.signal ?? request?.signal ?? null,
  }
}

function bytesOf(body: unknown): Uint8Array | null {
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof ArrayBuffer) return new Uint8Array(body)
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
  return null
}

const FIELDS = ['model', 'stream', 'service_tier']

/** The fields of a form that describe its request, as JSON; null if the body isn't a form. */
function fieldsOf(body: unknown): Uint8Array | null {
  if (!(body instanceof FormData || body instanceof URLSearchParams)) return null
  const fields: Record<string, unknown> = {}
  for (const name of FIELDS) {
    const value = body.get(name)
    if (typeof value === 'string') fields[name] = name === 'stream' ? value === 'true' : value
  }
  return Buffer.from(JSON.stringify(fields))
}
