import { beforeAll, describe, expect } from 'vitest'
import { readIdentity } from '../../../src/journal/journal-identity.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { TcpProxy } from '../../support/tcp-proxy.js'
import { parseExposition, seriesKey } from '../metrics/exposition-parser.js'
import { append, askUntil, type Place, requestLog, test } from '../support.js'
import { TestFleet } from './support.js'

describe.skipIf(noPostgres !== null)('a server over PostgreSQL', () => {
  let fleet: TestFleet

  beforeAll(async () => {
    fleet = await TestFleet.make(await sharedPostgres())
  })

  const prepare = async (place: Place) => {
    await fleet.log(place, 'a', [requestLog({ model: 'x', cost_sats: 2 }), requestLog({ model: 'y' })])
    await fleet.log(place, 'b', [requestLog({ model: 'x', cost_sats: 0.5, correlation_id: 'of b' })])
  }

  test('shows the requests of all journals on a host that has none, with their lines', async ({
    place,
    serve,
  }) => {
    await prepare(place)
    const server = await serve({ database: fleet.address, schema: fleet.schema })
    const { body: stats } = await server.get('/v1/stats?group_by=model')
    expect(stats.counts.total).toBe(3)
    expect(stats.models.x).toMatchObject({ counts: { total: 2 }, costs: { total_cost_sats: 2.5 } })
    const { body: list } = await server.get('/v1/requests?correlation_id=of%20b')
    const { body: one } = await server.get(`/v1/requests/${list.data[0].id}`)
    expect(one).toMatchObject({ correlation_id: 'of b', journal: 'b', cost: { sats: 0.5 } })
    expect(JSON.parse(one.line.text)).toMatchObject({ correlation_id: 'of b', model: 'x' })
    expect((await server.get('/')).status).toBe(200)
    expect((await server.get('/v1/series?range=last_1h')).body.requests).toContain(3)
    expect((await server.get('/v1/names?dimension=model')).body.names).toHaveLength(2)
  })

  test('has a series of metrics for each journal', async ({ place, serve }) => {
    const own = await TestFleet.make(await sharedPostgres())
    await own.log(place, 'a', [requestLog({ cost_sats: 2 }), requestLog({ provider: 'east' })])
    const server = await serve({ database: own.address, schema: own.schema })
    const series = { model: 'gpt-4o', provider: 'unknown', policy: 'unknown' }
    const alone = parseExposition((await server.get('/metrics')).text).samples
    expect(alone.get(seriesKey('request_journal_cost_sats_total', series))).toBe(2)
    expect(alone.get('request_journal_projector_up')).toBe(0)
    await own.log(place, 'b', [requestLog({ cost_sats: 0.5 }), requestLog({})])
    const both = parseExposition((await server.get('/metrics')).text).samples
    const journals = ['a', 'b'].map((host) => readIdentity(own.journalOf(place, host)).journal_id)
    const costs = journals.map((journal) =>
      both.get(seriesKey('request_journal_cost_sats_total', { ...series, journal })),
    )
    expect(costs).toEqual([2, 0.5])
    const ofB = { journal: journals[1] ?? '' }
    expect(both.get(seriesKey('request_journal_projected_events', ofB))).toBe(2)
    expect(both.get(seriesKey('request_journal_projection_lag_seconds', ofB))).toBe(0)
    await own.run("UPDATE journals SET last_seen = now() - INTERVAL '2 days' WHERE host = 'b'")
    const later = parseExposition((await server.get('/metrics')).text).samples
    expect(later.has(seriesKey('request_journal_projector_up', ofB))).toBe(false)
    expect(later.get(seriesKey('request_journal_projected_events', ofB))).toBe(2)
  })

  test('runs the projector of the journal beside it, and is healthy while that keeps up', async ({
    place,
    serve,
  }) => {
    const own = await TestFleet.make(await sharedPostgres())
    const server = await serve({ database: own.address, schema: own.schema, project: true })
    await append(place.journal, [requestLog()])
    await askUntil(
      () => server.get('/v1/stats'),
      ({ body }) => body.counts?.total === 1,
    )
    const { status, body } = await server.get('/healthz')
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { status: 'ok', projector_running: true, journals: 1, lag_seconds: 0 },
    })
    expect(body.journal_states).toMatchObject([{ journal_id: readIdentity(place.journal).journal_id }])
  })

  test('says which projector is gone, until its journal counts as retired', async ({ place, serve }) => {
    const own = await TestFleet.make(await sharedPostgres())
    await own.log(place, 'a', [requestLog()])
    const seen = (ago: string) => own.run(`UPDATE journals SET last_seen = now() - INTERVAL '${ago}'`)
    await seen('10 minutes')
    const server = await serve({ database: own.address, schema: own.schema, project: true })
    // The server's own journal is another one, whose row is there before its projector's lock.
    await append(place.journal, [requestLog()])
    const health = () => server.get('/healthz').then(({ body }) => body)
    const failing = await askUntil(
      health,
      ({ journals, problems }) => journals === 2 && problems.length === 1,
    )
    expect(failing).toMatchObject({ status: 'failing', retired_journals: 0 })
    const { journal_id } = readIdentity(own.journalOf(place, 'a'))
    expect(failing.problems).toEqual([
      expect.stringMatching(`no projector of journal ${journal_id} is connected; it was last seen at 20`),
    ])
    await seen('3 days')
    await askUntil(health, ({ status, retired_journals }) => status === 'ok' && retired_journals === 1)
  })

  test('outlives an absence of the server, and says since when', async ({ place, serve }) => {
    await prepare(place)
    const address = new URL(fleet.address)
    const proxy = await TcpProxy.start(Number(address.port))
    address.port = String(proxy.port)
    const server = await serve({ database: address.href, schema: fleet.schema })
    expect((await server.get('/v1/stats')).status).toBe(200)
    proxy.isClosed = true
    proxy.cut()
    const { status, body } = await askUntil(
      () => server.get('/v1/stats'),
      ({ status }) => status !== 200,
    )
    expect(status).toBe(503)
    const [, since] = /^Unavailable: PostgreSQL hasn't answered since (\S+Z); /.exec(body.error.message) ?? []
    const away = await server.get('/healthz')
    expect(away).toMatchObject({ status: 503, body: { status: 'failing', away_since: since } })
    proxy.isClosed = false
    await askUntil(
      () => server.get('/v1/stats'),
      ({ status }) => status === 200,
    )
    await askUntil(
      () => server.get('/healthz'),
      ({ body }) => body.away_since === undefined,
    )
    await proxy.stop()
  })

  test('gives up a question that is never answered, and asks the next one anew', async ({ place, serve }) => {
    await prepare(place)
    const address = new URL(fleet.address)
    const proxy = await TcpProxy.start(Number(address.port))
    address.port = String(proxy.port)
    const server = await serve({ database: address.href, schema: fleet.schema, queryTimeoutMs: 500 })
    await askUntil(
      () => server.get('/v1/stats'),
      ({ status }) => status === 200,
    )
    proxy.onAnswered = () => 'lose'
    const { status, body } = await server.get('/v1/stats')
    expect({ status, message: body.error.message }).toEqual({
      status: 503,
      message: expect.stringMatching(/^Unavailable: PostgreSQL hasn't answered since /),
    })
    proxy.onAnswered = () => 'pass'
    await askUntil(
      () => server.get('/v1/stats'),
      ({ status }) => status === 200,
    )
    await proxy.stop()
  })

  test('begins while PostgreSQL is away or has no tables, and answers once it has', async ({ serve }) => {
    const away = await serve({ database: 'postgres://nobody@127.0.0.1:1/none' })
    expect((await away.get('/v1/stats')).body.error.message).toMatch(/PostgreSQL hasn't answered since/)
    const empty = await serve({ database: fleet.address, schema: 'nowhere' })
    expect((await empty.get('/v1/stats')).body.error.message).toMatch(/no database yet: .*migrate/)
    expect((await empty.get('/healthz')).body.problems).toEqual([expect.stringMatching(/migrate/)])
  })

  test('a server that answers again without tables isn’t away any more', async ({ serve }) => {
    const address = new URL(fleet.address)
    const proxy = await TcpProxy.start(Number(address.port))
    address.port = String(proxy.port)
    proxy.isClosed = true
    const server = await serve({ database: address.href, schema: 'nowhere' })
    expect((await server.get('/v1/stats')).body.error.message).toMatch(/PostgreSQL hasn't answered since/)
    proxy.isClosed = false
    const { body } = await askUntil(
      () => server.get('/healthz'),
      ({ body }) => /migrate/.test(body.problems[0]),
    )
    expect(body.away_since).toBeUndefined()
    await proxy.stop()
  })
})
