import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loggedFetch } from '../../../src/clients/fetch/logged-fetch.js'
import { openJournal } from '../../../src/journal/append/journal.js'
import { rowsOf } from '../../clients/fetch/support.js'
import * as answers from '../../clients/upstream/answers.js'
import { type Delivery, type Reply, Upstream } from '../../clients/upstream/upstream.js'
import { readSegment, segmentsOf } from '../../journal/support.js'
import { type Fault, type Place, survived, type Verdict, wrong } from '../fault.js'
import type { Random } from '../random.js'

/** Calls that run at the same time. */
const AT_ONCE = 25

interface Api {
  path: string
  model: string
  body: object
  answer(): answers.Answer
  tokens: number
}

const chatBody = { messages: [], stream: true, stream_options: { include_usage: true } }

const APIS: Api[] = [
  { path: '/v1/chat/completions', model: 'a', body: {}, answer: () => answers.chat(), tokens: 10 },
  {
    path: '/v1/chat/completions',
    model: 'b',
    body: chatBody,
    answer: () => answers.chatStream(),
    tokens: 10,
  },
  {
    path: '/v1/chat/completions',
    model: 'c',
    body: chatBody,
    answer: () => answers.chatStream({ newline: '\r\n', comments: true }),
    tokens: 10,
  },
  {
    path: '/v1/responses',
    model: 'd',
    body: { stream: true },
    answer: () => answers.responsesStream(),
    tokens: 87,
  },
  {
    path: '/v1/messages',
    model: 'e',
    body: { stream: true },
    answer: () => answers.messageStream(),
    tokens: 15,
  },
  { path: '/v1/messages', model: 'f', body: {}, answer: () => answers.message(), tokens: 15 },
]

/** How the upstream dies, if it does. */
function deathOfUpstream(random: Random, length: number): Delivery {
  const at = () => random.between(0, length)
  return random.pick<() => Delivery>([
    () => ({}),
    () => ({}),
    () => ({ breakAfter: -1 }),
    () => ({ breakAfter: at() }),
    () => ({ breakAfter: at() }),
    () => ({ stallAfter: at() }),
    () => ({ stallAfter: -1 }),
  ])()
}

/** What became of a call, as its client saw it. */
interface Seen {
  id: string
  api: Api
  hasBegun: boolean
  /** Whether the client left by itself, perhaps after the last text and before the tokens. */
  hasLeft: boolean
  /** Whether all of the body came, and the client read it. */
  isWhole: boolean
  status: number
}

/** One call, whose client reads all of the answer or dies in one of the ways clients do. */
async function call(url: string, get: typeof fetch, api: Api, id: string, random: Random): Promise<Seen> {
  const seen: Seen = { id, api, hasBegun: false, hasLeft: false, isWhole: false, status: 0 }
  const controller = new AbortController()
  const death = random.pick([
    'none',
    'none',
    'abort',
    'time-out',
    'cancel',
    'break',
    'abort in the stream',
  ] as const)
  const ms = random.between(0, 15)
  // Whoever isn't killed waits for upstreams that stall as long as this.
  const timer = setTimeout(() => controller.abort(), death === 'abort' ? ms : 300)
  let reads = death === 'none' ? Number.POSITIVE_INFINITY : random.between(0, 6)
  try {
    const response = await get(`${url}${api.path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': id },
      body: JSON.stringify({ model: api.model, ...api.body }),
      signal: death === 'time-out' ? AbortSignal.timeout(ms) : controller.signal,
    })
    seen.hasBegun = true
    seen.status = response.status
    if (death === 'cancel') {
      await response.body?.cancel()
      return seen
    }
    for await (const _ of response.body as unknown as AsyncIterable<Uint8Array>) {
      if (reads-- > 0) continue
      seen.hasLeft = death === 'break' || death === 'abort in the stream'
      if (death === 'break') return seen
      if (death === 'abort in the stream') controller.abort()
    }
    seen.isWhole = true
  } catch {
    // The call died, by the upstream or by its client.
  } finally {
    clearTimeout(timer)
  }
  return seen
}

function judge(calls: readonly Seen[], rows: readonly Record<string, unknown>[]): string[] {
  const problems: string[] = []
  for (const { id, api, isWhole, status, hasBegun, hasLeft } of calls) {
    const own = rows.filter((row) => row['correlation_id'] === id)
    const [row] = own
    const what = `${id} (${api.path}, ${hasBegun ? 'begun' : 'not begun'}, ${isWhole ? 'whole' : 'broken'})`
    if (row === undefined || own.length !== 1) problems.push(`${what}: ${own.length} rows`)
    else if (row['isEnded'] !== true) problems.push(`${what}: unfinished`)
    else if (row['model'] !== api.model) problems.push(`${what}: another model, ${row['model']}`)
    else if (isWhole && status === 200) {
      if (row['success'] !== true) problems.push(`${what}: failed, ${row['error_message']}`)
      if (row['output_tokens'] !== api.tokens) problems.push(`${what}: ${row['output_tokens']} tokens`)
    } else if (row['success'] === true && row['output_tokens'] !== api.tokens && !hasLeft) {
      // Only what was seen to its end may be a success of a call that broke.
      problems.push(`${what}: a success without its tokens`)
    } else if (row['success'] === false && row['error_message'] === null) {
      problems.push(`${what}: a failure without a reason`)
    }
  }
  if (rows.length !== calls.length) problems.push(`${rows.length} rows of ${calls.length} calls`)
  return problems
}

async function killCalls(place: Place, random: Random): Promise<Verdict[]> {
  const upstream = await Upstream.start()
  const logger = { warn: () => {}, error: () => {} }
  const journal = openJournal({ directory: place.journal, fsync: 'no', logger })
  try {
    const get = loggedFetch(journal, { provider: 'upstream' })
    upstream.handler = ({ path, body }): Reply => {
      const { model } = JSON.parse(body) as { model: string }
      const api = APIS.find((one) => one.path === path && one.model === model)
      const answer = random.chance(0.1) ? answers.openAiError(500, 'oops') : (api as Api).answer()
      const [chunkBytes, encoding] = [
        random.pick([0, 1000, 100, 37]),
        random.pick(['', '', 'gzip', 'br'] as const),
      ]
      return {
        ...answer,
        delivery: {
          ...deathOfUpstream(random, Buffer.byteLength(answer.body)),
          ...(chunkBytes === 0 ? {} : { chunkBytes }),
          ...(encoding === '' ? {} : { encoding }),
          pauseMs: random.pick([0, 0, 1]),
        },
      }
    }
    const calls = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, at) =>
        call(upstream.url, get, random.pick(APIS), `call-${at}`, random),
      ),
    )
    // A cancelled body is told of in the same turn, an aborted one in the next.
    await sleep(1)
    const problems = judge(calls, rowsOf(eventsIn(place.journal)))
    return calls.map((_, at) => (problems[at] === undefined ? survived() : wrong(problems[at])))
  } finally {
    await journal.close()
    await upstream.close()
  }
}

function eventsIn(directory: string): Record<string, unknown>[] {
  return segmentsOf(directory)
    .filter((name) => name.endsWith('.ndjson'))
    .flatMap((name) => readSegment(readFileSync(join(directory, name))))
}

export const clients: Fault = {
  name: 'clients',
  title:
    'A client or an upstream of a logged call dies at a random instant: refuses, breaks, stalls, aborts, breaks off its loop',
  async run(round) {
    const trials = round.isShort ? 3 : 40
    for (let trial = 0; trial < trials; trial++) {
      await round.trial(`trial ${trial}`, (place) => killCalls(place, round.random))
    }
  },
}
