import { randomUUID } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { shownText } from '../../events/describe-value.js'
import { INVALID_EVENT, InvalidEventError } from '../../events/errors.js'
import type { EventInput, JournalEvent } from '../../events/event-types.js'
import { FIELDS } from '../../events/fields.js'
import { hexChecksum } from '../../events/line.js'
import { nearestName } from '../../events/nearest-name.js'
import type { EncodedEvent, Journal } from '../../journal/append/journal.js'
import { BoundedWarnings } from '../../journal/append/warnings.js'
import { JournalWriteError } from '../../journal/errors.js'
import { badRequest, HttpError, unavailable } from '../http/errors.js'
import type { MayAppend } from '../http/token.js'
import type { ServerLogger } from '../options.js'
import { type KnownPost, KnownPosts, MARK } from './known-posts.js'
import { type BodyForm, type PostedEvent, readEvents } from './posted-events.js'

/** The answer to a POST whose events are durable. */
export interface IngestAnswer {
  /** How many events this POST has appended. */
  appended: number
  /** How many events were appended by an earlier POST with the same key. */
  repeated: number
  /** The journal that they are in. */
  journal_id: string
  /** The correlation_id of each event, in order; null for a price or an exchange rate. */
  correlation_ids: (string | null)[]
  /** The first hundred events that were appended but are probably mistaken; absent if none. */
  warnings?: EventFault[]
}

/** What is wrong with an event. */
export interface EventFault {
  /** Its index in the body, from 0. */
  index: number
  message: string
}

/** How many faulty events an answer lists. */
const NAMED_FAULTS = 100

/** Takes events of other hosts and programs into a journal. */
export class Ingest {
  readonly #journal: Journal
  readonly #logger: ServerLogger
  readonly #known = new KnownPosts()
  readonly #refusals: BoundedWarnings
  /** How many POSTs in a row have failed because the journal refused to write or to sync. */
  #refused = 0

  /**
   * Finds the idempotency-keys of the journal's last lines.
   *
   * @param journal must be open already: opening it completes a last line that lacks its newline.
   * @throws JournalError SEGMENT_UNREADABLE; the file system's error if a segment can't be read.
   */
  constructor(journal: Journal, directory: string, logger: ServerLogger) {
    this.#journal = journal
    this.#logger = logger
    this.#refusals = new BoundedWarnings(logger)
    this.#known.find(directory, Date.now())
  }

  /**
   * Appends the events of a body, all of them or none, and waits until they are durable. Bodies
   * that wait at the same time share one sync.
   *
   * @param key the idempotency-key. If it is known, only the events that aren't in the journal yet
   *   are written.
   * @param mayAppend which events the client may append.
   * @throws HttpError 400, 413, 422: nothing was written; 500, 503 if the disk refuses.
   */
  async post(
    body: Buffer,
    form: BodyForm,
    key: string | null,
    mayAppend: MayAppend = 'every event',
  ): Promise<IngestAnswer> {
    const events = readEvents(body, form)
    const post = this.#postOf(body, events.length, key)
    const encoded = this.#encode(events, post, key, mayAppend)
    if (key !== null) this.#known.add(key, post, Date.now())
    const appended = await this.#append(encoded, post)
    const warnings = warningsOf(encoded)
    return {
      appended,
      repeated: encoded.length - appended,
      journal_id: this.#journal.identity.journal_id,
      correlation_ids: encoded.map(({ event }) => ('correlation_id' in event ? event.correlation_id : null)),
      ...(warnings.length === 0 ? {} : { warnings }),
    }
  }

  /**
   * Closes the journal. If a sync fails, that is logged: each client has been told about its own
   * events already, or gets no answer.
   */
  async close(): Promise<void> {
    await this.#journal.close().catch((error) => {
      this.#logger.error({ err: error }, 'The journal of posted events could not be closed')
    })
  }

  #postOf(bytes: Buffer, of: number, key: string | null): KnownPost {
    const body = key === null ? '' : hexChecksum(crc32(bytes))
    const known = key === null ? undefined : this.#known.get(key)
    // The correlation_ids made for a POST differ in their last four digits: the event's index.
    if (known === undefined)
      return { body, of, ids: randomUUID().slice(0, -4), written: new Set(), failure: null }
    if (known.body === body && known.of === of) return known
    throw new HttpError(
      422,
      `Unprocessable: idempotency-key '${key}' belongs to another body: send a new key with new events, and the same events as the same bytes`,
    )
  }

  /** Encodes all events, before any of them is written. @throws HttpError 400 */
  #encode(
    events: readonly PostedEvent[],
    post: KnownPost,
    key: string | null,
    mayAppend: MayAppend,
  ): EncodedEvent[] {
    const faults: EventFault[] = []
    const encoded: EncodedEvent[] = []
    const { body, of, ids } = post
    for (const [index, posted] of events.entries()) {
      try {
        const event = eventOf(posted, `${ids}${index.toString(16).padStart(4, '0')}`)
        const mark = key === null ? null : { [MARK]: { key, body, index, of, ids } }
        const one = this.#journal.encode(event, mark)
        if (mayAppend === 'requests only') checkIsOfRequest(one.event)
        encoded.push(one)
      } catch (error) {
        if (!(error instanceof InvalidEventError) && !(error instanceof RefusedEvent)) throw error
        faults.push({ index, message: error.message.replace(INVALID_EVENT, '') })
      }
    }
    if (faults.length > 0) throw invalidPost(faults, events.length)
    return encoded
  }

  /** Writes and syncs the events that aren't in the journal yet. @throws HttpError 500, 503 */
  async #append(encoded: readonly EncodedEvent[], post: KnownPost): Promise<number> {
    try {
      const appended = this.#write(encoded, post)
      await this.#flush(post)
      if (appended > 0) this.#noteTaken()
      return appended
    } catch (error) {
      if (!(error instanceof JournalWriteError)) throw error
      this.#noteRefused(error)
      throw refusal(error, post.written?.size ?? post.of)
    }
  }

  /** Warns of the first POST in a row that the journal refuses, since only its client is told. */
  #noteRefused(err: JournalWriteError): void {
    this.#refused++
    if (this.#refused > 1) return
    const text =
      'The journal refuses posted events: clients are told to post them again, or which ones are in doubt'
    this.#refusals.warn(Date.now(), { err }, text)
  }

  #noteTaken(): void {
    if (this.#refused === 0) return
    const refused = this.#refused
    this.#refused = 0
    this.#refusals.warn(Date.now(), { refused }, 'The journal takes posted events again')
  }

  /** Writes the events that aren't in the journal yet, and returns how many those are. */
  #write(encoded: readonly EncodedEvent[], post: KnownPost): number {
    const { written } = post
    if (written === null) return 0
    let appended = 0
    for (const [index, { line }] of encoded.entries()) {
      if (written.has(index)) continue
      this.#journal.write(line)
      written.add(index)
      appended++
    }
    post.written = null
    return appended
  }

  async #flush(post: KnownPost): Promise<void> {
    try {
      if (post.failure !== null) throw post.failure
      await this.#journal.flush()
    } catch (error) {
      // No later sync can find out whether these lines are on the disk. If they are, writing them
      // again would double them.
      if (isDoubtful(error)) post.failure = error
      throw error
    }
  }
}

/** An event whose text can't be read, or that the client may not append. */
class RefusedEvent extends Error {}

/** @throws RefusedEvent for a price or an exchange rate, which change what requests cost. */
function checkIsOfRequest({ type }: JournalEvent): void {
  if (type === 'request_logged' || type === 'stream_completed') return
  throw new RefusedEvent(
    `type: found ${type}, which this token may not append; expected request_logged or stream_completed`,
  )
}

/** Makes the input for `append` from a posted event. The journal checks it when it encodes it. */
function eventOf(posted: PostedEvent, correlationId: string): EventInput {
  if ('problem' in posted) throw new RefusedEvent(posted.problem)
  const members = posted.members as Partial<Record<string, unknown>>
  if (typeof members !== 'object' || members === null || Array.isArray(members)) {
    return members as unknown as EventInput
  }
  if (MARK in members) throw new RefusedEvent(`${MARK}: the server itself writes this member`)
  const { type = 'request_logged', correlation_id } = members
  const needsId = type === 'request_logged' && correlation_id === undefined
  return (needsId ? { ...members, correlation_id: correlationId } : members) as unknown as EventInput
}

/** Warns once about each member that no event has: most come from an API, or are mistyped. */
function warningsOf(encoded: readonly EncodedEvent[]): EventFault[] {
  const warnings = new Map<string, EventFault>()
  for (const [index, { event, unknown }] of encoded.entries()) {
    for (const name of unknown) {
      if (warnings.size === NAMED_FAULTS) return [...warnings.values()]
      if (warnings.has(name)) continue
      const nearest = nearestName(name, Object.keys(FIELDS[event.type]))
      const hint = nearest === null ? '' : `; did you mean ${nearest}?`
      const message = `${shownText(name)}: ${event.type} has no such member: kept in the journal, and ignored${hint}`
      warnings.set(name, { index, message })
    }
  }
  return [...warnings.values()]
}

/** Refuses a body because some of its events can't be appended, so that nothing was written. */
function invalidPost(faults: readonly EventFault[], events: number): HttpError {
  const [first] = faults
  const more = faults.length > NAMED_FAULTS ? `; the first ${NAMED_FAULTS} of them are listed` : ''
  const which = events === 1 ? 'the event' : `${faults.length} of ${events} event(s)`
  const where = events === 1 ? '' : `event ${first?.index}: `
  const problem = `nothing was written, because ${which} can't be appended: ${where}${first?.message}${more}`
  return badRequest(problem, { appended: 0, errors: faults.slice(0, NAMED_FAULTS) })
}

/** Whether it isn't known if what was written is durable. */
function isDoubtful(error: unknown): boolean {
  return (
    !(error instanceof JournalWriteError) || error.code === 'SYNC_FAILED' || error.code === 'SEGMENT_LOST'
  )
}

/** @param appended how many events of the body, counted from the first, are in the journal. */
function refusal(error: JournalWriteError, appended: number): HttpError {
  if (!isDoubtful(error)) return unavailable(error.message, 1, { appended })
  const advice = "the events are written, but may not survive a power cut; don't send them again"
  return new HttpError(500, `Internal error: ${error.message}; ${advice}`, {}, { appended })
}
