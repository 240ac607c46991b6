import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { combined, type Fault, type Place, type Verdict, wrong } from '../fault.js'
import { endAll, Fleet, type Host, journalId, scaleOf } from '../fleet.js'
import { command, type Program, script } from '../program.js'

const whyNot = () => noPostgres

/** A fleet on the server that all share. */
async function withFleet(
  place: Place,
  options: { hosts: number; isHere?: boolean },
  act: (fleet: Fleet) => Promise<Verdict | Verdict[]>,
): Promise<Verdict | Verdict[]> {
  const fleet = await Fleet.start(place, { ...options, address: await sharedPostgres() })
  const verdict = await act(fleet)
  await fleet.close()
  await fleet.remove()
  return verdict
}

export const rivalsKilled: Fault = {
  name: 'rivals-killed',
  title: 'SIGKILL of projectors at random instants, two rivals on each journal',
  isLong: true,
  whyNot,
  run: async (round) => {
    const { events, faults, ...scale } = scaleOf(round, { all: 1000, short: 2 })
    // One journal has two rivals, as every other has.
    const hosts = round.isShort ? 1 : scale.hosts
    await round.trial('kills', (place) =>
      withFleet(place, { hosts }, async (fleet) => {
        const start = ({ journal }: Host) =>
          place.keep(script('rival.mjs', [journal, fleet.database, fleet.schema]))
        const rivals = fleet.hosts.map((host) => [start(host), start(host)])
        const share = Math.floor((events * hosts) / faults)
        for (let fault = 0; fault < faults; fault++) {
          const index = fault % hosts
          const [host, pair] = [fleet.hosts[index], rivals[index]]
          if (host === undefined || pair === undefined) throw new Error('no host')
          // One of them has the lock: it is at work when it is killed.
          await untilOneProjects(pair)
          host.append(share)
          await sleep(round.random.between(0, 60))
          const victim = round.random.between(0, 1)
          await pair[victim]?.end('SIGKILL')
          pair[victim] = start(host)
          place.goesOn()
        }
        for (const host of fleet.hosts) host.append(events - host.promised.length)
        await fleet.untilComplete(() => rivals.flat())
        await Promise.all(rivals.flat().map((program) => program.end('SIGKILL')))
        const verdict = await fleet.verdict()
        return Array.from({ length: faults }, () => verdict)
      }),
    )
  },
}

async function untilOneProjects(pair: readonly Program[]): Promise<void> {
  const says = pair.map((program) =>
    program.until(() => program.stdout.includes('projecting'), 'it projects'),
  )
  await Promise.race(says)
}

export const hostLost: Fault = {
  name: 'host-lost',
  title: 'a host’s journal deleted in mid-load, `restore`, and on with it',
  isLong: true,
  whyNot,
  testedIn: 'test/maintenance/restore/restore.test.ts',
  run: async (round) => {
    const { hosts, events, faults } = scaleOf(round, { all: 8, short: 1 })
    await round.trial('losses', (place) =>
      withFleet(place, { hosts }, async (fleet) => {
        const projectors = new Map(fleet.hosts.map((host) => [host, fleet.startProjector(host)]))
        const verdicts: Verdict[] = []
        const share = Math.floor(events / (2 * faults + 1))
        const append = () => {
          for (const host of fleet.hosts) host.append(share)
        }
        for (let fault = 0; fault < faults; fault++) {
          append()
          await fleet.untilComplete(() => [...projectors.values()])
          append()
          const host = fleet.hosts[fault % hosts]
          if (host === undefined) throw new Error('no host')
          await sleep(round.random.between(0, 300))
          await projectors.get(host)?.end('SIGKILL')
          verdicts.push(await loseAndRestore(place, fleet, host))
          projectors.set(host, fleet.startProjector(host))
          place.goesOn()
        }
        append()
        await fleet.untilComplete(() => [...projectors.values()])
        const ended = await endAll([...projectors.values()])
        await fleet.close()
        const verified = await verify(place, fleet)
        const verdict = combined(ended, verified, await fleet.verdict())
        return verdicts.map((one) => combined(one, verdict))
      }),
    )
  },
}

/** What the program itself says of each host. */
async function verify(place: Place, { hosts, database, schema }: Fleet): Promise<Verdict> {
  const verdicts: Verdict[] = []
  for (const { journal } of hosts) {
    const run = place.keep(command(['verify', '--journal', journal, '--db', database, '--schema', schema]))
    const status = await run.exited
    if (status !== 0) verdicts.push(wrong(`verify ends with ${status}: ${run.stdout}${run.stderr}`))
    place.goesOn()
  }
  return combined(...verdicts)
}

/** What wasn't projected yet is lost with the disk; all else comes back, byte for byte. */
async function loseAndRestore(place: Place, fleet: Fleet, host: Host): Promise<Verdict> {
  const { journal } = host
  await host.close()
  const copy = `${journal}.copy`
  cpSync(journal, copy, { recursive: true })
  const id = journalId(journal)
  rmSync(journal, { recursive: true })
  const options = ['--db', fleet.database, '--schema', fleet.schema, '--journal-id', id, '--journal', journal]
  const restore = place.keep(command(['restore', ...options]))
  const status = await restore.exited
  if (status !== 0) return wrong(`restore ends with ${status}: ${restore.stderr}`)
  const differences: string[] = []
  const rows = await fleet.ask(
    `SELECT name, projected_bytes::float AS bytes FROM {schema}.journal_segments
     JOIN {schema}.journals j ON j.number = journal WHERE j.journal_id = $1`,
    [id],
  )
  const positions = new Map(rows.map(({ name, bytes }) => [name, Number(bytes)]))
  for (const name of readdirSync(copy)) {
    const before = readFileSync(join(copy, name))
    const expected = name.endsWith('.ndjson') ? before.subarray(0, positions.get(name) ?? 0) : before
    const found = readFileSync(join(journal, name))
    if (!found.equals(expected)) differences.push(`${name}: found ${found.length} bytes, not the same`)
  }
  rmSync(copy, { recursive: true })
  host.forgetLost()
  return differences.length === 0 ? wrong() : wrong(...differences)
}

/** The last hours of months for which no partition was made ahead. */
const MONTHS = ['2031-02-01T00:00:00.000Z', '2044-03-01T00:00:00.000Z', '2099-01-01T00:00:00.000Z']

export const boundaries: Fault = {
  name: 'boundaries',
  title: 'hours and months that begin in mid-load, timestamps of 1999 and 2100',
  isLong: true,
  whyNot,
  run: async (round) => {
    const { hosts, events } = scaleOf(round, { all: 1, short: 1 })
    await round.trial('boundaries', (place) =>
      withFleet(place, { hosts, isHere: round.isShort }, async (fleet) => {
        const steps = 24
        const share = Math.floor(events / steps)
        const months = round.isShort ? [round.random.pick(MONTHS)] : MONTHS
        // From before the boundary to after it, and over an hour within the month.
        const begins = months.flatMap((month) => [Date.parse(month), Date.parse(month) + 3_600_000])
        const at = (step: number) => {
          const begin = begins[Math.floor((step * begins.length) / steps)] ?? 0
          const within = (step % Math.ceil(steps / begins.length)) / Math.ceil(steps / begins.length)
          return begin + (within - 0.5) * 60_000
        }
        for (const host of fleet.hosts) host.clockMs = at(0)
        for (const host of fleet.hosts) host.append(1)
        const projectors = fleet.hosts.map((host) => fleet.startProjector(host))
        await Promise.all(projectors.map((program) => program.said(/Projecting/)))
        for (let step = 0; step < steps; step++) {
          for (const host of fleet.hosts) {
            host.clockMs = at(step)
            host.append(share - 2)
            host.append(1, { timestamp: '1999-12-31T23:59:59.999Z' })
            host.append(1, { timestamp: '2100-01-01T00:00:00.000Z' })
          }
          await sleep(round.random.between(0, 100))
        }
        await fleet.untilComplete(() => projectors)
        const ended = await endAll(projectors)
        // A projector leaves a month among the others where making its partition would hold somebody up.
        await fleet.migrate()
        const verdict = combined(ended, await fleet.verdict())
        const strays = await fleet.ask(
          `SELECT tableoid::regclass::text AS partition, count(*)::int AS n, min(timestamp) AS first FROM {schema}.requests
           WHERE (tableoid = '{schema}.requests_other'::regclass)
             <> (timestamp < '2020-01-01Z' OR timestamp >= '2100-01-01Z') GROUP BY 1`,
        )
        return combined(verdict, wrong(...strays.map((stray) => JSON.stringify(stray))))
      }),
    )
  },
}
