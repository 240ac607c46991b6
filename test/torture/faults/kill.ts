import { type Fault, type Place, survived, wrong } from '../fault.js'
import { judge } from '../judge.js'
import { command, type Program, script, startDaemon } from '../program.js'
import type { Random } from '../random.js'

/** SIGKILL of two writers and the projector, each at an instant of its own. */
export const kill: Fault = {
  name: 'kill',
  title: 'SIGKILL of writers and projector at random instants',
  testedIn: 'test/crash/kill.test.ts',
  run: (round) =>
    round.trial('short lines', (place) =>
      killTogether(place, round.random, { rounds: 30, bytes: 0, most: 2000 }),
    ),
}

export const killLong: Fault = {
  name: 'kill-1mb',
  title: 'the same with lines of 1 MB, where kills tear lines',
  testedIn: 'test/crash/kill.test.ts',
  run: (round) =>
    round.trial('lines of 1 MB', (place) =>
      killTogether(place, round.random, { rounds: 12, bytes: 1_000_000, most: 60 }),
    ),
}

/** The command that people pipe into: what it has flushed and said is there. */
export const killAppend: Fault = {
  name: 'kill-append',
  title: 'SIGKILL of `append`, then the same input once more',
  run: async (round) => {
    for (let i = 0; i < (round.isShort ? 1 : 4); i++) {
      await round.trial('append', async (place) => {
        const count = round.isShort ? 500 : 3000
        const events = Array.from({ length: count }, (_, n) => `${event(`e${n}`)}\n`)
        const first = place.keep(command(['append', '--journal', place.journal]))
        first.process.stdin?.end(events.join(''))
        await new Promise((resolve) => setTimeout(resolve, round.random.between(60, 260)))
        await first.end('SIGKILL')
        const second = place.keep(command(['append', '--journal', place.journal, '--json']))
        second.process.stdin?.end(events.map((line) => line.replace('"e', '"again-e')).join(''))
        if ((await second.exited) !== 0) return wrong(`append failed: ${second.stderr}`)
        const promised = Array.from({ length: count }, (_, n) => `again-e${n}`)
        return judge(place, promised, { withReplay: true })
      })
    }
  },
}

function event(correlation_id: string): string {
  return JSON.stringify({ correlation_id, model: 'm', latency_ms: 1, success: true })
}

interface Writers {
  /** How much longer than usual their lines are. */
  bytes: number
  /** How many appends a writer is promised at most before it is killed. */
  most: number
}

/** Rounds of three kills, over one journal and one database that have to survive them all. */
export async function killTogether(
  place: Place,
  random: Random,
  { rounds, ...writers }: { rounds: number } & Writers,
) {
  const promised: string[] = []
  for (let round = 0; round < rounds; round++) {
    const daemon = await startDaemon(place)
    const killed = ['a', 'b'].map((name) => runAndKill(place, `w${round}${name}`, random, writers))
    promised.push(...(await Promise.all(killed)).flat())
    await daemon.end('SIGKILL')
  }
  if (promised.length < rounds * 40) return wrong(`only ${promised.length} appends: this tests nothing`)
  const verdict = await judge(place, promised, { withReplay: true })
  // Three kills a round; one that lost something makes the others suspect too.
  return [verdict, ...Array.from({ length: 3 * rounds - 1 }, survived)]
}

/** Lets a writer be promised some appends, then kills it in the middle of whatever it does. */
async function runAndKill(
  { journal, keep }: Place,
  name: string,
  random: Random,
  { bytes, most }: Writers,
): Promise<string[]> {
  const amount = random.between(20, most)
  const writer: Program = keep(script('writer.mjs', [journal, name, String(bytes)]))
  await writer.until(() => writer.lines.length >= amount, 'it is killed')
  await writer.end('SIGKILL')
  return writer.lines
}
