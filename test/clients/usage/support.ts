import { observeAnswer } from '../../../src/clients/usage/answer-observer.js'
import type { Answer, Observation, Usage } from '../../../src/clients/usage/observation.js'

/** An answer in the form in which a provider sends it, and what it must be found to tell. */
export interface Recorded extends Partial<Omit<Answer, 'header'>> {
  name: string
  path: string
  headers?: Record<string, string>
  body: string | Uint8Array
  /** Members that aren't named must be null; the outcome is `complete` if it isn't named. */
  tells: Partial<Omit<Observation, 'usage'>> & { usage?: Partial<Usage> }
}

/** What a body tells that doesn't show where it ends. */
export const UNKNOWN_END: Recorded['tells'] = { outcome: { kind: 'unknown' } }

const NO_USAGE: Usage = {
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_creation_input_tokens: null,
  cache_creation_1h_input_tokens: null,
  audio_input_tokens: null,
  image_input_tokens: null,
  reasoning_output_tokens: null,
  audio_output_tokens: null,
  provider_cost_usd: null,
  provider_cost_sats: null,
}

export function observationOf({ usage, ...others }: Recorded['tells']): Observation {
  return {
    response_model: null,
    service_tier: null,
    response_id: null,
    outcome: { kind: 'complete' },
    ...others,
    usage: usage === undefined ? null : { ...NO_USAGE, ...usage },
  }
}

export function isSse({ body }: Pick<Recorded, 'body'>): boolean {
  return typeof body === 'string' && /^\uFEFF?(:|data|event|id|retry|\r|\n)/.test(body)
}

/** Observes an answer whose body comes in chunks that end at the offsets given. */
export function observe(recorded: Omit<Recorded, 'name' | 'tells'>, cuts: number[] = []): Observation {
  const { path, status = 200, headers = {}, body } = recorded
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const type = isSse(recorded) ? 'text/event-stream; charset=utf-8' : 'application/json'
  const all: Record<string, string> = { 'content-type': type, ...headers }
  const header = (name: string) => all[name.toLowerCase()] ?? null
  const observer = observeAnswer({
    path,
    status,
    header,
    isStreamAsked: recorded.isStreamAsked ?? isSse(recorded),
  })
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    const chunk = Uint8Array.from(bytes.subarray(from, cut))
    observer.push(chunk)
    // Its owner may use the chunk again for other bytes.
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
