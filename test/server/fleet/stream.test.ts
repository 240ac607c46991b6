import { beforeAll, describe, expect } from 'vitest'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { TcpProxy } from '../../support/tcp-proxy.js'
import { Listener } from '../stream/listener.js'
import { requestLog, test } from '../support.js'
import { TestFleet } from './support.js'

describe.skipIf(noPostgres !== null)('a stream over PostgreSQL', () => {
  let fleet: TestFleet

  beforeAll(async () => {
    fleet = await TestFleet.make(await sharedPostgres())
  })

  const models = (...names: string[]) => names.map((model) => requestLog({ model }))

  test('has the requests of every journal, and resumes after a cut with the position of each', async ({
    place,
    serve,
  }) => {
    await fleet.log(place, 'a', models('before'))
    const server = await serve({ database: fleet.address, schema: fleet.schema })
    const listener = await Listener.open(server)
    await fleet.log(place, 'a', models('a1', 'a2'))
    const first = await listener.next()
    expect(first).toMatchObject({
      event: 'request',
      id: expect.stringMatching(/^p\w+\.\w+/),
      data: { model: 'a1' },
    })
    await listener.next()
    await fleet.log(place, 'b', models('b1'))
    const last = await listener.next()
    expect(last.data.model).toBe('b1')
    listener.close()
    await fleet.log(place, 'a', models('a3'))
    const resumed = await Listener.open(server, '', { 'last-event-id': first.id ?? '' })
    const seen = [await resumed.next(), await resumed.next(), await resumed.next()]
    expect(seen.map(({ data }) => data.model).sort()).toEqual(['a2', 'a3', 'b1'])
    resumed.close()
    const ofB = await Listener.open(server, `?journal=b&last_event_id=${first.id}`)
    expect((await ofB.next()).data.model).toBe('b1')
    ofB.close()
    for (const id of ['7', 'p1', 'x']) {
      expect((await server.get('/v1/stream', { headers: { 'last-event-id': id } })).status, id).toBe(400)
    }
    expect((await server.get('/v1/stream?journal=nope')).status).toBe(404)
  })

  test('goes on when PostgreSQL comes back', async ({ place, serve }) => {
    await fleet.log(place, 'a', models('before'))
    const address = new URL(fleet.address)
    const proxy = await TcpProxy.start(Number(address.port))
    address.port = String(proxy.port)
    const server = await serve({ database: address.href, schema: fleet.schema })
    const listener = await Listener.open(server)
    proxy.isClosed = true
    proxy.cut()
    await fleet.log(place, 'a', models('meanwhile'))
    proxy.isClosed = false
    expect((await listener.next()).data.model).toBe('meanwhile')
    listener.close()
    await proxy.stop()
  })
})
