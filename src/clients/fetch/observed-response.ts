/** What is told of a body while the client reads it. */
export interface BodyObserver {
  /** Bytes that the client is about to get. */
  chunk(bytes: Uint8Array): void
  /** The body ended well. */
  ended(): void
  /** The body was errored, by the network or by an abort. */
  errored(error: unknown): void
  /** The client cancelled the body. */
  cancelled(): void
  /** The client dropped the answer without reading all of it. */
  dropped(): void
}

/** Takes something out of a body on its way. */
export interface BodyFilter {
  /** Returns the bytes that may be passed on now: `bytes` itself, or others; empty if there are none. */
  push(bytes: Uint8Array): Uint8Array
  /** Returns what it still holds back at the end of the body. */
  end(): Uint8Array
}

/**
 * Gives a response like `response` whose body is observed while the client reads it. The body is
 * pulled: nothing is read before the client reads, nothing is kept, and each chunk is the one that
 * came. Class, prototype and all members are those of `response`.
 *
 * The body of a Response can't be replaced, so this is a new one. What a constructor can't set,
 * such as `url`, is a property of its own. `for … in` doesn't list these; nothing else differs.
 *
 * @returns null if the body can't be observed: there is none, it's locked already, or it isn't a
 *   ReadableStream, as with node-fetch. `response` can be used then as if nothing had been tried.
 */
export function observedResponse(
  response: Response,
  observer: BodyObserver,
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
    // A class of the caller's own may take other arguments.
    if (like.body !== stream) return null
    if (Object.getPrototypeOf(like) !== Object.getPrototypeOf(response)) return null
    return withIdentity(like, response)
  } catch {
    // Its constructor refuses the status or the body.
    return null
  }
}

/** Gives a new response the members of `original` that its constructor doesn't take. */
function withIdentity(response: Response, original: Response): Response {
  const { url, redirected, type, headers } = original
  const clone = () => withIdentity(Object.getPrototypeOf(response).clone.call(response), original)
  for (const [name, value] of Object.entries({ url, redirected, type, headers, clone })) {
    Object.defineProperty(response, name, { value, configurable: true })
  }
  return response
}

/**
 * Ends the body with an error, unless it has ended. An abort needs it: Node's fetch doesn't end a
 * body whose connection broke together with its head, not even by an abort.
 */
export type Fail = (error: unknown) => void

type Controller = ReadableStreamDefaultController<Uint8Array> | ReadableByteStreamController

/** What is known of the body as it comes. It refers to nothing that the client holds. */
interface Source {
  /** Node's fetch aborts a body only as long as its Response hasn't been garbage collected. */
  response: Response
  observer: BodyObserver
  filter: BodyFilter | null
  /** Whether a chunk is on its way to the client. */
  isReading: boolean
  /** How the body ended; null while it hasn't. */
  end: { error: unknown; isError: boolean } | null
  /** Whether the client's stream has been told. */
  isOver: boolean
}

/**
 * Finds the bodies that were dropped unread. As long as the connection is open, fetch holds the
 * original body and all that refers from there: that must not include the client's stream.
 */
const dropped = new FinalizationRegistry<{ source: Source; reader: ReadableStreamDefaultReader }>(
  ({ source, reader }) => {
    if (source.isOver) return
    source.isOver = true
    source.observer.dropped()
    reader.cancel('The response has been garbage collected').catch(() => {})
  },
)

/** A stream of the same kind that pulls from `body`, which `start` locks. */
function observedStream(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  from: Pick<Source, 'response' | 'observer' | 'filter'>,
): { stream: ReadableStream; start(): Fail } {
  const source: Source = { ...from, isReading: false, end: null, isOver: false }
  let reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>
  let held: Controller
  const callbacks = {
    start(controller: Controller) {
      held = controller
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
    return watchEnd(source, reader, new WeakRef(held))
  }
  return { stream, start }
}

/** Passes the next chunk on; with a filter, the next one that it lets through. */
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
 * Sees the end also if the client doesn't read once more, and an abort while it isn't reading. On
 * its own, since a closure within `observedStream` would refer to the client's stream.
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

/** A copy in a buffer of its own: a stream takes buffers over, and must not take Node's pool. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

/** Ends the client's stream as the body ended, once. It's null if the client has dropped it. */
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
    // A reader with a buffer of its own is told of the end by an answer without bytes.
    if (controller !== null && 'byobRequest' in controller) controller.byobRequest?.respond(0)
  } catch {
    // It was closed in the middle of an element of the reader's array, which errors the stream.
  }
}

/** Whether a reader may bring its own buffers. */
function isByteStream(body: ReadableStream): boolean {
  try {
    body.getReader({ mode: 'byob' }).releaseLock()
    return true
  } catch {
    return false
  }
}
