import { loggedFetch } from '../../../src/clients/fetch/logged-fetch.js'
import type { LoggedFetchOptions } from '../../../src/clients/fetch/options.js'
import { type Opened, opened, readSegment, SEGMENT, segmentsOf, textOf } from '../../journal/support.js'
import { KEY, PROMPT } from '../upstream/answers.js'
import { startUpstream, type Upstream } from '../upstream/upstream.js'

/** A journal, an upstream, and a fetch between them. */
export interface Logging extends Opened {
  upstream: Upstream
  fetch: typeof globalThis.fetch
  /** Every event of the journal, in order. */
  events(): Record<string, unknown>[]
  /** One object a request: its completion over its row, as a projection has it. */
  rows(): Record<string, unknown>[]
}

export async function logging(options: LoggedFetchOptions = {}): Promise<Logging> {
  const log = opened()
  const events = () =>
    segmentsOf(log.directory).includes(SEGMENT) ? readSegment(Buffer.from(textOf(log.directory))) : []
  const rows = () => rowsOf(events())
  const upstream = await startUpstream()
  return { ...log, upstream, fetch: loggedFetch(log.journal, options), events, rows }
}

/** Joins completions with their requests; throws for one that has no open request. */
export function rowsOf(events: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = []
  for (const { type, timestamp, ...event } of events) {
    if (type === 'request_logged') {
      rows.push({ ...event, isEnded: event['streaming'] !== true || event['success'] !== true })
      continue
    }
    const row = rows.findLast(
      (row) =>
        row['correlation_id'] === event['correlation_id'] &&
        row['attempt'] === event['attempt'] &&
        row['isEnded'] === false,
    )
    if (row === undefined) throw new Error(`A completion without a request: ${JSON.stringify(event)}`)
    Object.assign(row, event, { isEnded: true })
  }
  return rows
}

/** Waits until the journal has so many requests that have ended. */
export async function untilEnded({ rows }: Pick<Logging, 'rows'>, count: number): Promise<void> {
  while (rows().filter(({ isEnded }) => isEnded).length < count) {
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export const CHAT_PATH = '/v1/chat/completions'

/** The call of a chat completion. */
export function chatCall(more: object = {}): RequestInit & { body: string } {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: PROMPT }], ...more }),
  }
}

export const STREAM = { stream: true, stream_options: { include_usage: true } }
