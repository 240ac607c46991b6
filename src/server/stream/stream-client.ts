import type { ServerResponse } from 'node:http'
import type { NewRequests, RequestFilter, TailPosition } from '../../queries/index.js'

/** How many bytes may wait for a slow client before nothing more is sent to it for a while. */
const MAX_WAITING_BYTES = 64 * 1024

/** After this many entries in a row without reaching the newest, a client skips to the newest. */
const MAX_BEHIND = 10_000

/** How long an event's id may be, since it has to fit into a header: about 1,000 journals. */
const MAX_ID_CHARACTERS = 8000

/** What a client has received so far. */
export interface StreamCursor {
  afterId: TailPosition
  /** The streams whose ends it waits for; null if it resumes, and they aren't known yet. */
  openIds: readonly number[] | null
  /** The first timestamp of these streams, as far as it is known. */
  openFrom?: string | undefined
}

/** An open stream. While its socket is full, no question is asked for it: nothing piles up. */
export class StreamClient {
  readonly filter: RequestFilter
  /** A key that equal filters share. */
  readonly filterKey: string
  cursor: StreamCursor
  readonly #response: ServerResponse
  #sentInARow = 0
  #fullSince: number | null = null

  constructor(response: ServerResponse, filter: RequestFilter, cursor: StreamCursor) {
    this.#response = response
    // The client has disconnected: 'close' follows.
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

  /** For how long the client hasn't read, while too much waits. */
  get fullForMs(): number {
    return this.isFull && this.#fullSince !== null ? performance.now() - this.#fullSince : 0
  }

  /** Whether the client has been behind for so long that it must skip to the newest. */
  get isLagging(): boolean {
    return this.#sentInARow >= MAX_BEHIND
  }

  send(text: string | Buffer): void {
    // The database may answer after the server has ended the stream.
    if (!this.#response.writableEnded) this.#response.write(text)
  }

  /** @param text the entries as events, which all clients with the same question share. */
  advance(text: Buffer, { data, last_id, open_ids, open_from, has_more, has_gap }: NewRequests): void {
    if (has_gap) this.send(laggedEvent(this.cursor.afterId, this.cursor.afterId))
    if (text.length > 0) this.send(text)
    this.cursor = { afterId: last_id, openIds: open_ids, openFrom: open_from }
    this.#sentInARow = has_more ? this.#sentInARow + data.length : 0
  }

  /** Continues after an id, and tells the client that entries were left out. */
  skipTo(afterId: TailPosition): void {
    this.send(laggedEvent(this.cursor.afterId, afterId))
    this.cursor = { afterId, openIds: [] }
    this.#sentInARow = 0
  }

  /** Keeps the connection alive, and updates the id from which the client would resume. */
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
 * Formats entries as events. JSON has no line breaks, so each entry is one line of data. Completed
 * entries come first: a client that resumes from an id gets only what was completed after it.
 */
export function requestEvents({ data, positions, completed }: NewRequests): Buffer {
  const requests = data.map((entry, index) => {
    const id = eventId(positions?.[index] ?? entry.id)
    return `event: request\nid: ${id}\ndata: ${JSON.stringify(entry)}\n\n`
  })
  // These events have no id, because a client would resume from an id that is too old.
  const changes = completed.map((entry) => `event: completed\ndata: ${JSON.stringify(entry)}\n\n`)
  return Buffer.from([...changes, ...requests].join(''))
}

/**
 * Returns the id of an event, which a client sends back to resume. If it is too long for a header,
 * it is left empty, so that the client begins anew.
 */
function eventId(position: TailPosition): TailPosition {
  return String(position).length > MAX_ID_CHARACTERS ? '' : position
}

function laggedEvent(afterId: TailPosition, resumedAfterId: TailPosition): string {
  const data = JSON.stringify({ after_id: afterId, resumed_after_id: resumedAfterId })
  return `event: lagged\nid: ${eventId(resumedAfterId)}\ndata: ${data}\n\n`
}
