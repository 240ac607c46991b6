import type { ServerResponse } from 'node:http'
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'
import { grouped } from '../../folds/grouped.js'
import type { NewRequests, NewRequestsOptions, RequestFilter, TailPosition } from '../../queries/index.js'
import { unavailable } from '../http/errors.js'
import type { QueryPool } from '../pool/query-pool.js'
import { requestEvents, StreamClient, type StreamCursor } from './stream-client.js'

/** How long to wait between two questions for new requests, while there are clients. */
const POLL_MS = 250
const RETRY_MS = 1000
const HEARTBEAT_MS = 15_000
/** A client that reads nothing for this long is disconnected. */
const MAX_FULL_MS = 60_000
/** How many entries an answer may have. */
const BATCH = 100
/** After this many characters an answer takes no more entries: a slow client's wait here. */
const BATCH_CHARACTERS = 256 * 1024
/** How many questions are asked at once. Even with entries of a MiB, the answers fit into one. */
const QUESTIONS = 8

/** All open streams. Clients with the same filter share one question to the database. */
export class StreamHub {
  readonly #pool: QueryPool
  readonly #maxStreams: number
  readonly #clients = new Set<StreamClient>()
  /** Streams that are being opened, which count too. */
  #opening = 0
  #poll: NodeJS.Timeout | undefined
  #isAsking = false
  #heartbeat: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(pool: QueryPool, maxStreams: number) {
    this.#pool = pool
    this.#maxStreams = maxStreams
  }

  /**
   * Prepares a stream that begins after an id that the client has seen, or with requests that are
   * added from now on. Returns a function that starts it, given the client's response.
   *
   * @throws HttpError 404 for an unknown model or provider, 503 if too many are open.
   */
  async start(
    filter: RequestFilter,
    lastEventId: TailPosition | null,
  ): Promise<(response: ServerResponse) => void> {
    if (this.#isClosed) throw unavailable('the server is stopping')
    if (this.#clients.size + this.#opening >= this.#maxStreams) {
      throw unavailable(`${this.#maxStreams} streams are open already`, 5)
    }
    this.#opening++
    try {
      const [newest] = await this.#ask([{ afterId: null, filter }])
      if (newest === undefined) throw new Error('one question has one answer')
      const newestCursor = { afterId: newest.last_id, openIds: newest.open_ids }
      return (response) => this.#add(response, filter, lastEventId, newestCursor)
    } finally {
      this.#opening--
    }
  }

  /** Ends every stream; clients reconnect once there is a server again. */
  close(): void {
    this.#isClosed = true
    for (const client of this.#clients) client.end()
    this.#clients.clear()
    this.#keepTimers(0)
  }

  #add(
    response: ServerResponse,
    filter: RequestFilter,
    lastEventId: TailPosition | null,
    newest: StreamCursor,
  ): void {
    if (this.#isClosed) response.end()
    // If the client left while its stream was opened, 'close' has been emitted already.
    if (this.#isClosed || response.destroyed) return
    const cursor = lastEventId === null ? newest : { afterId: lastEventId, openIds: null }
    const client = new StreamClient(response, filter, cursor)
    this.#clients.add(client)
    response.on('close', () => this.#remove(client))
    client.send(`retry: ${RETRY_MS}\n\n`)
    // An id greater than any is from another database: the client might wait forever. With
    // PostgreSQL, the question itself checks the position.
    if (typeof cursor.afterId === 'number' && cursor.afterId > Number(newest.afterId)) {
      client.skipTo(newest.afterId)
    }
    this.#keepTimers(0)
  }

  #remove(client: StreamClient): void {
    this.#clients.delete(client)
    this.#keepTimers(POLL_MS)
  }

  /** Runs one timer of each kind while there are clients. */
  #keepTimers(pollInMs: number): void {
    if (this.#clients.size === 0) {
      clearTimeout(this.#poll)
      clearInterval(this.#heartbeat)
      this.#poll = undefined
      this.#heartbeat = undefined
      return
    }
    if (!this.#isAsking) this.#poll ??= setTimeout(() => void this.#tick(), pollInMs)
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS)
  }

  #beat(): void {
    for (const client of this.#clients) {
      if (client.fullForMs > MAX_FULL_MS) client.drop()
      else client.beat()
    }
  }

  async #tick(): Promise<void> {
    this.#poll = undefined
    this.#isAsking = true
    const groups = groupClients([...this.#clients].filter(({ isFull }) => !isFull))
    let delayMs = POLL_MS
    try {
      for (let first = 0; first < groups.length; first += QUESTIONS) {
        const asked = groups.slice(first, first + QUESTIONS)
        const answers = await this.#ask(asked.map(questionOf))
        for (const [index, answer] of answers.entries()) {
          if (answer.has_more) delayMs = 0
          await this.#deliver(asked[index] ?? [], answer)
        }
      }
    } catch {
      // The pool has logged it. The streams continue once the database answers again.
      delayMs = RETRY_MS
    }
    this.#isAsking = false
    this.#keepTimers(delayMs)
  }

  async #deliver(clients: readonly StreamClient[], answer: NewRequests): Promise<void> {
    const text = requestEvents(answer)
    for (const client of clients) client.advance(text, answer)
    const lagging = clients.filter(({ isLagging }) => isLagging)
    const [first] = lagging
    if (first === undefined) return
    const [newest] = await this.#ask([{ afterId: null, filter: {} }])
    for (const client of lagging) client.skipTo(newest?.last_id ?? client.cursor.afterId)
  }

  async #ask(questions: NewRequestsOptions[]): Promise<NewRequests[]> {
    return JSON.parse(await this.#pool.ask({ query: 'newRequests', options: questions }))
  }
}

/**
 * Groups clients that need the same answer. A client that resumes isn't grouped with others, until
 * it has caught up.
 */
function groupClients(clients: readonly StreamClient[]): StreamClient[][] {
  const groups = grouped(clients, ({ cursor: { afterId, openIds }, filterKey }) => {
    return `${afterId} ${openIds === null ? 'resumes' : 'continues'} ${filterKey}`
  })
  return [...groups.values()]
}

function questionOf(clients: readonly StreamClient[]): NewRequestsOptions {
  const [{ filter }] = clients as [StreamClient]
  // Clients that came later wait for the ends of fewer streams: the longest list serves all.
  const { afterId, openIds, openFrom } = clients
    .map(({ cursor }) => cursor)
    .reduce((longest, cursor) =>
      (cursor.openIds?.length ?? 0) > (longest.openIds?.length ?? 0) ? cursor : longest,
    )
  return { afterId, openIds, openFrom, filter, limit: BATCH, maxCharacters: BATCH_CHARACTERS }
}
