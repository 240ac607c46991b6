import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Running } from './program.js'
import { Random } from './random.js'

/** Far longer than a trial takes on a slow machine, or a step of a long one. */
const HANGS_MS = 10 * 60_000

/** One class of faults: a row of the table. */
export interface Fault {
  /** For `--only`. */
  name: string
  /** What is done, as the table says it. */
  title: string
  /** Puts the fault in some times, with fresh random choices each round, and says what became of it. */
  run(round: Round): Promise<void>
  /** Why it can't be tried on this machine; null when it can. */
  whyNot?(): string | null
  /** At its full count it takes so long that it is run only if it is named. */
  isLong?: boolean
  /** Another test file has it already, so `npm test` doesn't run it here; `npm run test:torture` does. */
  testedIn?: string
}

/** What a fault did. Empty lists: it was survived. */
export interface Verdict {
  /** Events that had been promised and are not there. */
  lost: string[]
  /** Events that are there more than once. */
  doubled: string[]
  /** Everything else that must not be: a wrong row, a position too far, a process that ended. */
  wrong: string[]
}

export interface Tally {
  tried: number
  survived: number
  lost: number
  doubled: number
  wrong: number
}

/** Directories and processes of one trial. */
export interface Place {
  directory: string
  journal: string
  database: string
  /** Ends with the trial, at the latest. */
  keep<T extends Running>(program: T): T
  /** Says that a long trial goes on. */
  goesOn(): void
}

/**
 * As much as `npm test` has time for, as much as makes a round worth its setup, or everything: the first turn, in which
 * what can be enumerated is.
 */
export type Extent = 'short' | 'full' | 'exhaustive'

/** One turn of one fault class; its seed gives it again. */
export class Round {
  readonly random: Random
  readonly extent: Extent
  readonly tally: Tally = { tried: 0, survived: 0, lost: 0, doubled: 0, wrong: 0 }
  /** What was wrong, each with what was being tried. */
  readonly findings: string[] = []
  /** What was measured. */
  readonly figures: string[] = []

  constructor(seed: number, extent: Extent) {
    this.random = new Random(seed)
    this.extent = extent
  }

  /** One of every so many of a thing that can be enumerated. */
  stride(short: number, full: number): number {
    if (this.extent === 'exhaustive') return 1
    return this.isShort ? short : full
  }

  get isShort(): boolean {
    return this.extent === 'short'
  }

  /** Tries one thing in a directory of its own. What it throws is wrong too. */
  async trial(what: string, act: (place: Place) => Promise<Verdict | Verdict[]>): Promise<void> {
    const directory = mkdtempSync(join(tmpdir(), 'request-journal-torture-'))
    const programs: Running[] = []
    const keep = <T extends Running>(program: T) => {
      programs.push(program)
      return program
    }
    let heardAt = performance.now()
    const place = {
      goesOn: () => {
        heardAt = performance.now()
      },
      directory,
      journal: join(directory, 'journal'),
      database: join(directory, 'requests.db'),
      keep,
    }
    const over = new AbortController()
    try {
      const verdicts = await Promise.race([act(place), hanging(over.signal, () => heardAt)])
      for (const verdict of [verdicts].flat()) this.#count(what, verdict)
    } catch (error) {
      this.#count(what, wrong(error instanceof Error ? (error.stack ?? error.message) : String(error)))
    } finally {
      over.abort()
      await Promise.all(programs.map((program) => program.end('SIGKILL')))
      rmSync(directory, { recursive: true, force: true })
    }
  }

  #count(what: string, { lost, doubled, wrong }: Verdict): void {
    this.tally.tried++
    if (lost.length + doubled.length + wrong.length === 0) this.tally.survived++
    this.tally.lost += lost.length
    this.tally.doubled += doubled.length
    this.tally.wrong += wrong.length
    const say = (kind: string, items: string[]) => {
      if (items.length > 0)
        this.findings.push(`${what}: ${items.length} ${kind}: ${items.slice(0, 5).join('; ')}`)
    }
    say('lost', lost)
    say('doubled', doubled)
    say('wrong', wrong)
  }
}

/** Rejects when a trial takes longer than any can: it waits for something that does not come. */
async function hanging(signal: AbortSignal, heardAt: () => number): Promise<never> {
  while (!signal.aborted && performance.now() - heardAt() < HANGS_MS) {
    await sleep(1000, undefined, { signal }).catch(() => {})
  }
  throw new Error(`nothing for ${HANGS_MS / 60_000} minutes: it hangs`)
}

export function survived(): Verdict {
  return { lost: [], doubled: [], wrong: [] }
}

export function wrong(...what: string[]): Verdict {
  return { ...survived(), wrong: what }
}

export function combined(...verdicts: Verdict[]): Verdict {
  return {
    lost: verdicts.flatMap(({ lost }) => lost),
    doubled: verdicts.flatMap(({ doubled }) => doubled),
    wrong: verdicts.flatMap(({ wrong }) => wrong),
  }
}
