import type { UsageChunkFilter } from '../usage/usage-chunk-filter.js'

/** What `observedResponse` calls while the client reads the body. */
export interface BodyListener {
  /** Called with bytes that the client is about to get. */
  chunk(bytes: Uint8Array): void
  /** Called when the whole body has been read. */
  ended(): void
  /** Called when the network or an abort has ended the body with an error. */
  errored(error: unknown): void
  /** Called when the client has cancelled the body. */
  cancelled(): void
  /** Called when the answer was garbage collected before all of it was read. */
  dropped(): void
}

/** Removes something from a body as it passes. */
export type BodyFilter = Pick<UsageChunkFilter, 'push' | 'end'>

/**
 * Returns a response like `response` whose body is observed while the client reads it. Nothing is
 * read before the client reads, nothing is kept, and each chunk is passed on as it came. Class,
 * prototype and all members are those of `response`.
 *
 * The body of a Response can't be replaced, so this is a new Response. There is one difference:
 * members that its constructor can't set, such as `url`, are own properties, which `for … in`
 * doesn't list.
 *
 * @returns null if the body can't be observed: there is none, it's locked already, or it isn't a
 *   ReadableStream, as with node-fetch. `response` is then untouched.
 */
export function observedResponse(
  response: Response,
  observer: BodyListener,
  filter: BodyFilter | null = null,
): { response: Response; fail: Fail } | null {
  const { body } = response
  if (!(body instanceof ReadableStream) || body.locked) return null
  const { stream, start } = observedStream(body, { response, observer, filter })
  const like = responseLike(response, stream)
  return like === null ? null : { response: like, fail: start() }
}

function responseLike(response: Response, stream: ReadableStream): Response | null {
  const { status, statusText, headers } = response
  try {
    const Class = response.constructor as typeof Response
    const like = new Class(stream, { status, statusText, headers })
    // The constructor of a caller's own class may take other arguments.
    if (like.body !== stream) return null
    if (Object.getPrototypeOf(like) !== Object.getPrototypeOf(response)) return null
    return withMembersOf(like, response)
  } catch {
    // Its constructor refuses the status or the body.
    return null
  }
}

/** Gives a new response the members of `original` that its constructor doesn't take. */
function withMembersOf(response: Response, original: Response): Response {
  const { url, redirected, type, headers } = original
  const clone = () => withMembersOf(Object.getPrototypeOf(response).clone.call(response), original)
  for (const [name, value] of Object.entries({ url, redirected, type, headers, clone })) {
    Object.defineProperty(response, name, { value, configurable: true })
  }
  return response
}

/**
 * Ends the body with an error, unless it has already ended. It's called after an abort, because
 * Node's fetch never ends a body whose connection broke as its head arrived, even if the call is
 * aborted.
 */
export type Fail = (error: unknown) => void

type Controller = ReadableStreamDefaultController<Uint8Array> | ReadableByteStreamController

/** The state of a body that is being read. It holds no reference to the client's stream. */
interface Source {
  /** Kept because Node's fetch can't abort a body whose Response was garbage collected. */
  response: Response
  observer: BodyListener
  filter: BodyFilter | null
  /** Whether a chunk is on its way to the client. */
  isReading: boolean
  /** How the body ended; null if it hasn't yet. */
  end: { error: unknown; isError: boolean } | null
  /** Whether the client's stream has ended too. */
  isOver: boolean
}

/**
 * Finds streams that the client dropped before their end. While the connection is open, fetch keeps
 * the original body and everything that is referred to from there alive, so no reference may lead
 * from there to the client's stream.
 */
const dropped = new FinalizationRegistry<{ source: Source; reader: ReadableStreamDefaultReader }>(
  ({ source, reader }) => {
    if (source.isOver) return
    source.isOver = true
    source.observer.dropped()
    reader.cancel('The response has been garbage collected').catch(() => {})
  },
)

/** Makes a stream of the same kind that reads from `body`. `start` locks `body`. */
function observedStream(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  from: Pick<Source, 'response' | 'observer' | 'filter'>,
): { stream: ReadableStream; start(): Fail } {
  const source: Source = { ...from, isReading: false, end: null, isOver: false }
  let reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>
  let clientController: Controller
  const callbacks = {
    start(controller: Controller) {
      clientController = controller
    },
    async pull(controller: Controller) {
      source.isReading = true
      try {
        await pass(source, reader, controller)
      } catch (error) {
        source.end ??= { error, isError: true }
      }
      source.isReading = false
      if (source.end !== null) finish(source, controller)
    },
    cancel(reason: unknown) {
      if (!source.isOver) {
        source.isOver = true
        source.observer.cancelled()
      }
      return reader.cancel(reason)
    },
  }
  // Without a high-water mark of 0 a chunk would be read ahead of the client.
  const strategy = { highWaterMark: 0 }
  const stream = isByteStream(body)
    ? new ReadableStream({ ...callbacks, type: 'bytes' }, strategy)
    : new ReadableStream(callbacks, strategy)
  const start = (): Fail => {
    reader = body.getReader()
    dropped.register(stream, { source, reader })
    return watchEnd(source, reader, new WeakRef(clientController))
  }
  return { stream, start }
}

/** Passes on the next chunk, or the next one of which the filter leaves something. */
async function pass(
  source: Source,
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  controller: Controller,
): Promise<void> {
  const { observer, filter } = source
  for (;;) {
    const { done, value } = await reader.read()
    if (done) {
      source.end ??= { error: null, isError: false }
      return
    }
    // Not instanceof: the class may be that of another realm.
    const isBytes = ArrayBuffer.isView(value)
    if (isBytes) observer.chunk(value)
    if (filter === null || !isBytes) {
      controller.enqueue(value)
      return
    }
    const passed = filter.push(value)
    if (passed.length > 0) {
      controller.enqueue(passed === value ? value : owned(passed))
      return
    }
  }
}

/**
 * Notices the end even if the client doesn't read again after the last chunk, and an abort even if
 * the client isn't reading. It's outside of `observedStream`, whose closures refer to the client's
 * stream.
 */
function watchEnd(
  source: Source,
  reader: ReadableStreamDefaultReader,
  controller: WeakRef<Controller>,
): Fail {
  const end = (error: unknown, isError: boolean) => {
    source.end ??= { error, isError }
    // The last chunk may still be on its way: `closed` is settled before the read is.
    if (!source.isReading) finish(source, controller.deref() ?? null)
  }
  reader.closed.then(
    () => end(null, false),
    (error) => end(error, true),
  )
  return (error) => {
    if (source.isOver) return
    source.end ??= { error, isError: true }
    finish(source, controller.deref() ?? null)
    reader.cancel(error).catch(() => {})
  }
}

/**
 * Copies bytes that may be in Node's shared pool: a byte stream detaches the buffers that it gets.
 */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

/**
 * Ends the client's stream the way the body ended, once.
 *
 * @param controller that of the client's stream; null if the client has dropped the stream.
 */
function finish(source: Source, controller: Controller | null): void {
  const { observer, filter, end } = source
  if (source.isOver || end === null) return
  source.isOver = true
  if (end.isError) {
    observer.errored(end.error)
    controller?.error(end.error)
    return
  }
  observer.ended()
  try {
    const rest = filter?.end()
    if (rest !== undefined && rest.length > 0) controller?.enqueue(owned(rest))
    controller?.close()
    // A reader that brought its own buffer notices the end only by a response of 0 bytes.
    if (controller !== null && 'byobRequest' in controller) controller.byobRequest?.respond(0)
  } catch {
    // The reader's array has elements of several bytes, and the body ended within one. That has
    // already ended the stream with an error.
  }
}

/** Whether the stream is one whose readers can bring their own buffers. */
function isByteStream(body: ReadableStream): boolean {
  try {
    body.getReader({ mode: 'byob' }).releaseLock()
    return true
  } catch {
    return false
  }
}
