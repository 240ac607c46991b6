import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { noPostgres, PostgresServer, sharedPostgres } from '../../support/postgres.js'
import { TcpProxy } from '../../support/tcp-proxy.js'
import { combined, type Fault, type Place, type Round, type Verdict } from '../fault.js'
import { endAll, Fleet, Host, type Scale, scaleOf } from '../fleet.js'
import { Program, type Running } from '../program.js'
import { whyNoMount } from './disk.js'
import { ServerDisk } from './server-disk.js'

const whyNot = () => noPostgres

/** A server of its own, whose commits are on the disk when they are acknowledged, as in production. */
async function withServer(
  round: Round,
  place: Place,
  act: (server: PostgresServer, fleet: Fleet, scale: Scale) => Promise<Verdict | Verdict[]>,
  { isHere = round.isShort, ...faults }: { all: number; short: number; isHere?: boolean },
): Promise<Verdict | Verdict[]> {
  const server = await PostgresServer.start(round.isShort ? { fsync: 'off' } : {})
  try {
    const scale = scaleOf(round, faults)
    const fleet = await Fleet.start(place, { hosts: scale.hosts, address: server.address(), isHere })
    const verdict = await act(server, fleet, scale)
    await fleet.close()
    return verdict
  } finally {
    server.remove()
  }
}

/** Every host's projector, at work. */
async function startProjectors(fleet: Fleet): Promise<Running[]> {
  const programs = fleet.hosts.map((host) => fleet.startProjector(host))
  await Promise.all(programs.map((program) => program.said(/Projecting|Waiting for a journal/)))
  return programs
}

/** Waits for the last row, and judges. */
async function finish(fleet: Fleet, projectors: readonly Running[]): Promise<Verdict> {
  await fleet.untilComplete(() => projectors)
  return combined(await endAll(projectors), await fleet.verdict())
}

/** One verdict for every fault; one that lost something makes the others suspect too. */
function each(count: number, verdict: Verdict): Verdict[] {
  return Array.from({ length: count }, () => verdict)
}

export const serverKilled: Fault = {
  name: 'server-killed',
  title: 'PostgreSQL killed and started again, or its sessions ended, in mid-load',
  isLong: true,
  whyNot,
  run: (round) =>
    round.trial('kills', (place) =>
      withServer(round, place, (server, fleet, scale) => killServer(place, round, server, fleet, scale), {
        all: 300,
        // The sessions once, then the server. Here the program that is built is tried, elsewhere its projector.
        short: 2,
        isHere: false,
      }),
    ),
}

async function killServer(
  place: Place,
  { random }: Round,
  server: PostgresServer,
  fleet: Fleet,
  { events, faults }: Scale,
): Promise<Verdict[]> {
  const projectors = await startProjectors(fleet)
  const share = Math.floor(events / faults)
  const append = (count: number) => {
    for (const host of fleet.hosts) host.append(count)
  }
  for (let fault = 0; fault < faults; fault++) {
    const before = await fleet.projectedBytes()
    append(Math.ceil(share / 2))
    await fleet.untilBeyond(before, projectors)
    append(Math.floor(share / 4))
    await sleep(random.between(0, 40))
    // In each turn of four one crash.
    if (fault % 4 === 1) {
      await server.crash()
      append(share - Math.ceil(share / 2) - Math.floor(share / 4))
      server.startAgain()
    } else {
      append(share - Math.ceil(share / 2) - Math.floor(share / 4))
      await fleet.ask(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'request-journal project' AND random() < $1`,
        [random.pick([0.3, 1])],
      )
    }
    place.goesOn()
  }
  append(events - share * faults)
  return each(faults, await finish(fleet, projectors))
}

export const serverRestored: Fault = {
  name: 'server-restored',
  title: 'the server restored from a copy that was taken in mid-load, projectors going on',
  isLong: true,
  whyNot,
  run: (round) =>
    round.trial('restores', (place) =>
      withServer(round, place, (server, fleet, scale) => restoreServer(place, server, fleet, scale), {
        all: 5,
        short: 1,
      }),
    ),
}

async function restoreServer(
  place: Place,
  server: PostgresServer,
  fleet: Fleet,
  { events, faults }: Scale,
): Promise<Verdict[]> {
  const projectors = await startProjectors(fleet)
  const steps = 20
  const append = async (count: number) => {
    for (let step = 0; step < steps; step++) {
      for (const host of fleet.hosts) host.append(Math.floor(count / steps))
      await sleep(5)
    }
  }
  const third = Math.floor(events / faults / 3)
  for (let fault = 0; fault < faults; fault++) {
    await append(third)
    await Promise.all([server.backUp(), append(third)])
    await fleet.untilComplete(() => projectors)
    await append(third)
    server.stop('immediate')
    server.restore()
    server.startAgain()
    place.goesOn()
  }
  return each(faults, await finish(fleet, projectors))
}

export const failover: Fault = {
  name: 'failover',
  title: 'a replica that is behind promoted while the primary is lost',
  isLong: true,
  whyNot,
  run: (round) =>
    round.trial('failovers', (place) =>
      withServer(round, place, (server, fleet, scale) => failOver(place, server, fleet, scale), {
        all: 5,
        short: 1,
      }),
    ),
}

/** Projectors reach whichever server is the primary by one address, as by a name or a virtual IP. */
async function failOver(
  place: Place,
  first: PostgresServer,
  fleet: Fleet,
  { events, faults }: Scale,
): Promise<Verdict[]> {
  const forProjectors = await TcpProxy.start(first.port)
  const forReplicas = await TcpProxy.start(first.port)
  const servers = [first]
  fleet.database = fleet.address.replace(/:\d+\//, `:${forProjectors.port}/`)
  const append = (count: number) => {
    for (const host of fleet.hosts) host.append(count)
  }
  try {
    const projectors = await startProjectors(fleet)
    const third = Math.floor(events / faults / 3)
    let primary = first
    for (let fault = 0; fault < faults; fault++) {
      append(third)
      forReplicas.targetPort = primary.port
      forReplicas.isClosed = false
      const replica = await primary.startReplica(forReplicas.port)
      servers.push(replica)
      append(third)
      await fleet.untilComplete(() => projectors)
      // What is committed from here on never reaches the replica.
      forReplicas.isClosed = true
      forReplicas.cut()
      append(third)
      await fleet.untilComplete(() => projectors)
      await primary.crash()
      forProjectors.targetPort = replica.port
      fleet.address = replica.address()
      append(10)
      // It is read-only until it is promoted.
      const said = projectors.map((program) => program.stderr.length)
      await Promise.all(
        projectors.map((program, n) =>
          program.until(() => /read-only/.test(program.stderr.slice(said[n])), 'it waits'),
        ),
      )
      replica.promote()
      primary = replica
      place.goesOn()
    }
    return each(faults, await finish(fleet, projectors))
  } finally {
    await forProjectors.stop()
    await forReplicas.stop()
    for (const server of servers) server.remove()
  }
}

/** How much more a projector may hold while the server is away. */
const GROWTH_MB = 40

export const serverAway: Fault = {
  name: 'server-away',
  title: 'the server away for the whole load, then back',
  isLong: true,
  whyNot,
  testedIn: 'test/projection/fleet/faults.test.ts',
  run: (round) =>
    round.trial('away', (place) =>
      withServer(
        round,
        place,
        (server, fleet, scale) => loadWithoutServer(place, round, server, fleet, scale),
        {
          all: 1,
          short: 1,
        },
      ),
    ),
}

async function loadWithoutServer(
  place: Place,
  round: Round,
  server: PostgresServer,
  fleet: Fleet,
  { events }: Scale,
): Promise<Verdict> {
  const projectors = await startProjectors(fleet)
  // Nobody projects its journal: it says what an append takes on this machine at the same time.
  const control = new Host(place.directory, 'control')
  const load = async (count: number) => {
    let mostMb = 0
    for (let done = 0; done < count; done += 20) {
      // Whoever comes first after a pause finds cold caches, and others come after the projectors have woken up.
      const turn = round.random.between(0, fleet.hosts.length)
      const hosts = [...fleet.hosts.slice(0, turn), control, ...fleet.hosts.slice(turn)]
      for (const host of hosts) host.append(Math.min(20, count - done))
      await sleep(2)
      if (done % 400 === 0) mostMb = Math.max(mostMb, ...projectors.map(residentMb))
    }
    return { mostMb, p99: p99Of(fleet.hosts), controlP99: p99Of([control]) }
  }
  const half = Math.floor(events / 2)
  const there = await load(half)
  await fleet.untilComplete(() => projectors)
  server.stop('fast')
  const away = await load(events - half)
  server.startAgain()
  const verdict = await finish(fleet, projectors)
  await control.close()
  const text = ({ p99, controlP99, mostMb }: typeof there) =>
    `p99 ${micros(p99)}, of a journal without a projector ${micros(controlP99)}, projector ${mostMb} MB`
  round.figures.push(`append with the server: ${text(there)}; without it: ${text(away)}`)
  // So few appends as in a short round have no percentile.
  if (!round.isShort && away.p99 > 2 * away.controlP99 + 0.1)
    verdict.wrong.push(`append without the server: ${text(away)}`)
  if (away.mostMb > there.mostMb + GROWTH_MB) verdict.wrong.push(`a projector grew to ${away.mostMb} MB`)
  return verdict
}

/** The 99th percentile of the appends since the last question, in milliseconds. */
function p99Of(hosts: readonly Host[]): number {
  const latencies = hosts.flatMap((host) => host.latencies.splice(0)).sort((a, b) => a - b)
  return latencies[Math.floor(latencies.length * 0.99)] ?? 0
}

const micros = (ms: number) => `${(ms * 1000).toFixed(0)} µs`

function residentMb(program: Running): number {
  if (!(program instanceof Program)) throw new Error('its memory is this process’')
  const status = readFileSync(`/proc/${program.process.pid}/status`, 'utf8')
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? []
  return Math.round(Number(kilobytes) / 1024)
}

export const serverDisk: Fault = {
  name: 'server-disk',
  title: 'the disk of the server full, and room again',
  isLong: true,
  whyNot: () => noPostgres ?? whyNoMount(),
  run: (round) =>
    round.trial('full disk', async (place) => {
      const disk = ServerDisk.mount(round.isShort ? 200 : 400)
      const server = await PostgresServer.start({ max_wal_size: '64MB' }, disk.directory)
      try {
        const scale = scaleOf(round, { all: 10, short: 1 })
        const { hosts } = scale
        const fleet = await Fleet.start(place, { hosts, address: server.address(), isHere: round.isShort })
        const verdict = await fillDisk(place, round, { server, disk, fleet, scale })
        await fleet.close()
        return verdict
      } finally {
        server.remove()
        disk.remove()
      }
    }),
}

/** Either its tables or its log finds no room: with the latter it stops, and is started again. */
async function fillDisk(
  place: Place,
  { random }: Round,
  { server, disk, fleet, scale }: { server: PostgresServer; disk: ServerDisk; fleet: Fleet; scale: Scale },
): Promise<Verdict[]> {
  const projectors = await startProjectors(fleet)
  const { events, faults } = scale
  const share = Math.floor(events / faults)
  for (let fault = 0; fault < faults; fault++) {
    for (const host of fleet.hosts) host.append(Math.floor(share / 2))
    await fleet.untilComplete(() => projectors)
    const said = projectors.map((program) => program.stderr.length)
    disk.fill(random.between(0, 200_000))
    const isWaiting = (program: Running, n: number) =>
      /be written to for now/.test(program.stderr.slice(said[n]))
    // Pages that are there already take some rows.
    while (!projectors.every(isWaiting)) {
      for (const host of fleet.hosts) host.append(10)
      await sleep(50)
    }
    disk.empty()
    if (!server.isRunning) server.startAgain()
    place.goesOn()
  }
  for (const host of fleet.hosts) host.append(Math.max(0, events - host.promised.length))
  return each(faults, await finish(fleet, projectors))
}

export const requestsLocked: Fault = {
  name: 'requests-locked',
  title: 'a lock held on `requests` by somebody’s migration',
  isLong: true,
  whyNot,
  testedIn: 'test/projection/fleet/faults.test.ts',
  run: (round) =>
    round.trial('lock', async (place) => {
      const { hosts, events } = scaleOf(round, { all: 1, short: 1 })
      const fleet = await Fleet.start(place, { hosts, address: await sharedPostgres() })
      const projectors = await startProjectors(fleet)
      const other = new Client({ connectionString: fleet.address })
      await other.connect()
      for (const host of fleet.hosts) host.append(Math.floor(events / 2))
      await other.query(`BEGIN; LOCK TABLE ${fleet.schema}.requests`)
      const endAt = performance.now() + (round.isShort ? 0 : 60_000)
      for (const host of fleet.hosts) host.append(events - Math.floor(events / 2))
      await Promise.all(
        projectors.map((program) => program.said(/another transaction held a lock for too long/)),
      )
      await sleep(Math.max(0, endAt - performance.now()))
      await other.query('COMMIT')
      await other.end()
      const verdict = await finish(fleet, projectors)
      for (const { stderr } of projectors) {
        if (!/takes writes again/.test(stderr))
          verdict.wrong.push(`it doesn't say that it goes on: ${stderr}`)
      }
      await fleet.close()
      await fleet.remove()
      return verdict
    }),
}
