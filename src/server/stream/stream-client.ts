import type { ServerResponse } from 'node:http'
import type { NewRequests, RequestFilter, TailPosition } from '../../queries/index.js'

/** How many bytes may wait for a slow reader before it gets no more for a while. */
const MAX_WAITING_BYTES = 64 * 1024

/** How many entries a client may be sent in a row without reaching the newest; then it skips. */
const MAX_BEHIND = 10_000

/** How long a header with the last event's id may be: about 1,000 journals. */
const MAX_ID_CHARACTERS = 8000

/** How far a client has been told. */
export interface StreamCursor {
  afterId: TailPosition
  /** The streams whose ends it is to be told; null if it resumes, and which aren't known. */
  openIds: readonly number[] | null
  /** The first timestamp of these streams, as far as it is known. */
  openFrom?: string | undefined
}

/** One open stream. While its socket is full nothing is asked for it, so that nothing piles up. */
export class StreamClient {
  readonly filter: RequestFilter
  /** The same for equal filters. */
  readonly filterKey: string
  cursor: StreamCursor
  readonly #response: ServerResponse
  #sentInARow = 0
  #fullSince: number | null = null

  constructor(response: ServerResponse, filter: RequestFilter, cursor: StreamCursor) {
    this.#response = response
    // The client has gone; 'close' follows.
    response.on('error', () => {})
    this.filter = filter
    this.filterKey = JSON.stringify(filter)
    this.cursor = cursor
  }

  /** Whether too much waits because the client doesn't read. */
  get isFull(): boolean {
    const isFull = this.#response.writableLength > MAX_WAITING_BYTES
    if (isFull) this.#fullSince ??= performance.now()
    else this.#fullSince = null
    return isFull
  }

  /** For how long it hasn't read. */
  get fullForMs(): number {
    return this.isFull && this.#fullSince !== null ? performance.now() - this.#fullSince : 0
  }

  /** Whether it has been behind for so long that it must skip to the newest. */
  get isLagging(): boolean {
    return this.#sentInARow >= MAX_BEHIND
  }

  send(text: string | Buffer): void {
    // An answer may come after the server has ended the stream.
    if (!this.#response.writableEnded) this.#response.write(text)
  }

  /** @param text the entries as events: the same bytes for every client that gets them. */
  advance(text: Buffer, { data, last_id, open_ids, open_from, has_more, has_gap }: NewRequests): void {
    if (has_gap) this.send(laggedEvent(this.cursor.afterId, this.cursor.afterId))
    if (text.length > 0) this.send(text)
    this.cursor = { afterId: last_id, openIds: open_ids, openFrom: open_from }
    this.#sentInARow = has_more ? this.#sentInARow + data.length : 0
  }

  /** Goes on after an id, and tells the client what was left out. */
  skipTo(afterId: TailPosition): void {
    this.send(laggedEvent(this.cursor.afterId, afterId))
    this.cursor = { afterId, openIds: [] }
    this.#sentInARow = 0
  }

  /** Keeps the connection, and what a client would resume from, up to date. */
  beat(): void {
    if (!this.isFull) this.send(`: heartbeat\nid: ${eventId(this.cursor.afterId)}\n\n`)
  }

  end(): void {
    this.#response.end()
  }

  drop(): void {
    this.#response.destroy()
  }
}

/**
 * Entries as events. JSON has no line breaks, so each entry is one line of data. Completed entries
 * come first: a client that resumes from an id is told only what was completed after it.
 */
export function requestEvents({ data, positions, completed }: NewRequests): Buffer {
  const requests = data.map((entry, index) => {
    const id = eventId(positions?.[index] ?? entry.id)
    return `event: request\nid: ${id}\ndata: ${JSON.stringify(entry)}\n\n`
  })
  // These have no id: a client would resume from an older one.
  const changes = completed.map((entry) => `event: completed\ndata: ${JSON.stringify(entry)}\n\n`)
  return Buffer.from([...changes, ...requests].join(''))
}

/**
 * What a client sends back to resume after an event. One that no request could carry is left empty:
 * then the client begins anew.
 */
function eventId(position: TailPosition): TailPosition {
  return String(position).length > MAX_ID_CHARACTERS ? '' : position
}

function laggedEvent(afterId: TailPosition, resumedAfterId: TailPosition): string {
  const data = JSON.stringify({ after_id: afterId, resumed_after_id: resumedAfterId })
  return `event: lagged\nid: ${eventId(resumedAfterId)}\ndata: ${data}\n\n`
}
