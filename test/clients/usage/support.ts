import { observeAnswer } from '../../../src/clients/usage/answer-observer.js'
import type { Answer, Observation } from '../../../src/clients/usage/observation.js'

/** An answer as a test describes it. The content type follows from the body if it isn't given. */
export interface Recorded extends Partial<Omit<Answer, 'header'>> {
  path: string
  headers?: Record<string, string>
  body: string | Uint8Array
}

/** Observes an answer whose body comes in chunks that end at the offsets given. */
export function observe(recorded: Recorded, cuts: number[] = []): Observation {
  const { path, status = 200, isStreamAsked = false, headers = {}, body } = recorded
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const isSse = typeof body === 'string' && /^\uFEFF?(:|data|event|id|retry|\r|\n)/.test(body)
  const all: Record<string, string> = {
    'content-type': isSse ? 'text/event-stream; charset=utf-8' : 'application/json',
    ...headers,
  }
  const header = (name: string) => all[name.toLowerCase()] ?? null
  const observer = observeAnswer({ path, status, header, isStreamAsked: isStreamAsked || isSse })
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    // A copy that is overwritten after the call, since nothing may be referred to.
    const chunk = Uint8Array.from(bytes.subarray(from, cut))
    observer.push(chunk)
    chunk.fill(0x22)
    from = cut
  }
  return observer.end()
}

/** An event stream of these data. */
export function sse(...data: (object | string)[]): string {
  return data.map((one) => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`).join('')
}

/** An event stream whose events are named by the `type` of their data. */
export function namedSse(...data: { type: string }[]): string {
  return data.map((one) => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`).join('')
}
