import { once } from 'node:events'
import { beforeAll, describe, expect } from 'vitest'
import { TestFleet } from '../server/fleet/support.js'
import { requestLog, test } from '../server/support.js'
import { runHere } from '../support/command.js'
import { completionLine } from '../support/lines.js'
import { noPostgres, sharedPostgres } from '../support/postgres.js'
import { end, start } from '../support/program.js'

describe.skipIf(noPostgres !== null)('commands over the journals of many hosts', () => {
  let fleet: TestFleet
  let place: string[]

  beforeAll(async () => {
    fleet = await TestFleet.make(await sharedPostgres())
    place = ['--db', fleet.address, '--schema', fleet.schema]
  })

  test('requests --follow shows what comes from any host, and a stream again when it ends', async ({
    place: hosts,
  }) => {
    await fleet.log(hosts, 'a', [requestLog({ model: 'before' })])
    const child = start(['requests', '--follow', '--json', ...place])
    const { stdout } = child
    if (stdout === null) throw new Error('stdout is piped')
    let text = ''
    stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    const until = async (count: number) => {
      while (text.split('\n').length <= count) await once(stdout, 'data')
      return JSON.parse(text.split('\n')[count - 1] ?? '')
    }
    expect(await until(1)).toMatchObject({ model: 'before' })
    await fleet.log(hosts, 'b', [requestLog({ model: 'b', streaming: true, correlation_id: 's' })])
    expect(await until(2)).toMatchObject({ model: 'b', tokens: { output: null } })
    await fleet.log(hosts, 'a', [requestLog({ model: 'a' })])
    expect(await until(3)).toMatchObject({ model: 'a' })
    await fleet.log(hosts, 'b', [JSON.parse(completionLine('s', { output_tokens: 7, success: true }))])
    expect(await until(4)).toMatchObject({ model: 'b', tokens: { output: 7 } })
    expect(await end(child, 'SIGINT')).toBe(130)
  })

  test('--journal-id takes the requests of one host, and --group-by journal tells hosts apart', async ({
    place: hosts,
  }) => {
    await fleet.log(hosts, 'web-1', [requestLog(), requestLog()])
    await fleet.log(hosts, 'web-2', [requestLog()])
    const stats = await runHere([
      'stats',
      '--journal-id',
      'web-1',
      '--group-by',
      'journal',
      '--json',
      ...place,
    ])
    expect(JSON.parse(stats.stdout)).toMatchObject({ journals: { 'web-1': { counts: { total: 2 } } } })
    const page = await runHere(['stats', '--group-by', 'journal', ...place])
    expect(page.stdout).toMatch(/^web-1 .* 2 /m)
    const listed = await runHere(['requests', '--journal-id', 'web-2', '--json', ...place])
    expect(JSON.parse(listed.stdout).total).toBe(1)
    expect(await runHere(['requests', '--journal-id', 'web-3', ...place])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("Journal 'web-3' not found"),
    })
  })
})
