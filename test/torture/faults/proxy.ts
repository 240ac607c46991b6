import { setTimeout as sleep } from 'node:timers/promises'
import { eventsOf } from '../../clients/proxy/support.js'
import { chat, chatStream } from '../../clients/upstream/answers.js'
import { Upstream } from '../../clients/upstream/upstream.js'
import { type Fault, type Place, survived, type Verdict, wrong } from '../fault.js'
import { command } from '../program.js'
import type { Random } from '../random.js'

const CHAT = '/v1/chat/completions'

/** Clients that call at the same time. */
const CLIENTS = 40

/**
 * The proxy of a gateway's host dies while it answers; the next one goes on in the journal that it
 * left.
 */
export const proxyKilled: Fault = {
  name: 'proxy-killed',
  title: 'SIGKILL of `proxy` while it answers 40 clients',
  async run(round) {
    await round.trial('proxy', (place) => killProxies(place, round.random, round.isShort ? 2 : 20))
  },
}

/** What clients saw of their answers, by correlation id. */
class Seen {
  /** Streams of which a byte came. */
  readonly begun = new Set<string>()
  /** Answers that came to their end. */
  readonly whole = new Set<string>()
}

async function killProxies(place: Place, random: Random, kills: number): Promise<Verdict[]> {
  const upstream = await Upstream.start()
  const seen = new Seen()
  try {
    for (let kill = 0; kill < kills; kill++) {
      await killOne(place, random, upstream, seen, kill)
      place.goesOn()
    }
  } finally {
    await upstream.close()
  }
  const cut = [...seen.begun].filter((id) => !seen.whole.has(id)).length
  if (cut < kills || seen.whole.size < kills)
    return [wrong(`${cut} streams cut and ${seen.whole.size} answers whole: this tests nothing`)]
  // One kill that lost something makes the others suspect too.
  return [judge(eventsOf(place.journal), seen), ...Array.from({ length: kills - 1 }, survived)]
}

async function killOne(
  place: Place,
  random: Random,
  upstream: Upstream,
  seen: Seen,
  kill: number,
): Promise<void> {
  const proxy = place.keep(
    command(['proxy', '--upstream', upstream.url, '--port', '0', '--journal', place.journal]),
  )
  await proxy.said(/Passing requests on/)
  const [url = ''] = proxy.lines
  // Long enough that some streams are on their way at any moment.
  const pauseMs = random.between(5, 25)
  upstream.handler = ({ body }) => ({
    ...(JSON.parse(body).stream === true ? chatStream() : chat()),
    delivery: { chunkBytes: 300, pauseMs },
  })
  const clients = Array.from({ length: CLIENTS }, async (_, index) => {
    // They begin one after the other, so that some are answered before the kill.
    await sleep(index * 10)
    await ask(url, `${kill}-${index}`, index % 2 === 0, seen)
  })
  const before = seen.begun.size
  while (seen.begun.size < before + 5) await sleep(5)
  await sleep(random.between(0, 200))
  await proxy.end('SIGKILL')
  await Promise.all(clients)
}

/** Calls the proxy, and notes how much of the answer came. */
async function ask(url: string, id: string, isStream: boolean, seen: Seen): Promise<void> {
  const stream = isStream ? { stream: true, stream_options: { include_usage: true } } : {}
  try {
    const response = await fetch(url + CHAT, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-journal-correlation-id': id },
      body: JSON.stringify({ model: 'gpt-4o', messages: [], ...stream }),
    })
    for await (const _ of response.body as unknown as AsyncIterable<Uint8Array>)
      if (isStream) seen.begun.add(id)
    seen.whole.add(id)
  } catch {
    // The proxy was killed before it had answered, or while it did.
  }
}

/** A stream has its row before its first byte, any answer its end before its last one. */
function judge(events: ReturnType<typeof eventsOf>, { begun, whole }: Seen): Verdict {
  const rows = new Map<string, number>()
  const ended = new Set<string>()
  for (const { type, streaming, correlation_id } of events) {
    const id = String(correlation_id)
    if (type === 'request_logged') rows.set(id, (rows.get(id) ?? 0) + 1)
    if (type === 'stream_completed' || streaming === false) ended.add(id)
  }
  return {
    lost: [...begun].filter((id) => !rows.has(id)).map((id) => `${id}: began without a row`),
    doubled: [...rows].filter(([, count]) => count > 1).map(([id, count]) => `${id}: ${count} rows`),
    wrong: [...whole].filter((id) => !ended.has(id)).map((id) => `${id}: whole, but without its end`),
  }
}
