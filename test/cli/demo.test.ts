import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { demoBook, demoEvents } from '../../src/cli/demo/demo-events.js'
import { findDifferences } from '../support/checker.js'
import { runHere } from '../support/command.js'
import { PROGRAM } from '../support/program.js'

const EVENTS = 3000

function startDemo({ onTestFinished }: TestContext): {
  demo: ChildProcess
  folder: string
  output: () => string
} {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-demo-test-'))
  const demo = spawn(process.execPath, [PROGRAM, 'demo'], { env: { ...process.env, TMPDIR: folder } })
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk
  }
  demo.stdout.on('data', collect)
  demo.stderr.on('data', collect)
  onTestFinished(() => {
    demo.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  return { demo, folder, output: () => output }
}

/** Processes that work in a folder, by their command lines. */
function processesIn(folder: string): string {
  return execFileSync('sh', ['-c', 'ps -eo args | grep -F "$0" | grep -v grep || true', folder], {
    encoding: 'utf8',
  })
}

test.concurrent('shows everything, leaves the files and no process', async (context) => {
  const { demo, folder, output } = startDemo(context)
  const [status] = await once(demo, 'close')
  expect(status, output()).toBe(0)
  expect(output()).toContain('appended 3,000  projected 3,000  lag 0 events')
  expect(output().match(/^appended /gm)?.length).toBeGreaterThan(3)
  expect(output()).toMatch(/in the median/)
  expect(output()).toMatch(/^claude-sonnet-4 .* \d+/m)
  const [name = ''] = readdirSync(folder)
  expect(name).toMatch(/^request-journal-demo-/)
  const journal = join(folder, name, 'journal')
  const database = join(folder, name, 'requests.db')
  expect(output()).toContain(`REQUEST_JOURNAL_DIR=${journal}\n`)
  expect(output()).toContain(`REQUEST_JOURNAL_DB=${database}\n`)
  const requests = [...demoEvents(EVENTS - demoBook(0).length, 20261122)].filter(
    (event) => event.type !== 'stream_completed',
  )
  expect((await runHere(['status', '--journal', journal, '--db', database, '--json'])).json).toMatchObject({
    database: { requests: requests.length, rejected: 0, held: 0, projector_running: false },
    lag_bytes: 0,
  })
  expect(findDifferences(journal, database)).toEqual([])
  const place = ['--db', database, '--json']
  expect((await runHere(['prices', ...place])).json['prices']).toHaveLength(5)
  expect((await runHere(['prices', 'unpriced', ...place])).json['unpriced']).toEqual([])
  expect((await runHere(['reprice', '--dry-run', ...place])).json['total']).toMatchObject({
    changed: 0,
    old: { sats: expect.any(Number), usd: expect.any(Number) },
    difference: { sats: 0, usd: 0 },
  })
  expect(processesIn(folder)).toBe('')
})

test.concurrent('Ctrl-C stops the projector and removes everything, exit 130', async (context) => {
  const { demo, folder, output } = startDemo(context)
  await expect.poll(output, { timeout: 15_000, interval: 20 }).toMatch(/^appended /m)
  expect(processesIn(folder)).toContain('project --journal')
  demo.kill('SIGINT')
  const [status] = await once(demo, 'close')
  expect(status).toBe(130)
  expect(readdirSync(folder)).toEqual([])
  expect(processesIn(folder)).toBe('')
})

test('the made-up traffic is the same for a seed, and every stream has its end', () => {
  const events = [...demoEvents(EVENTS, 1)]
  expect(events).toHaveLength(EVENTS)
  expect([...demoEvents(EVENTS, 1)]).toEqual(events)
  expect([...demoEvents(EVENTS, 2)]).not.toEqual(events)
  const ended = new Set(
    events.flatMap((event) => (event.type === 'stream_completed' ? [event.correlation_id] : [])),
  )
  const requests = events.flatMap((event) => (event.type === 'stream_completed' ? [] : [event]))
  expect(new Set(requests.map((request) => request.model)).size).toBeGreaterThan(3)
  const streams = requests.filter((request) => request.streaming && request.success)
  expect(streams.length).toBeGreaterThan(300)
  const endless = streams.filter((request) => !ended.has(request.correlation_id ?? ''))
  expect(endless.length).toBeLessThanOrEqual(1)
  const failed = requests.filter((request) => !request.success).length / requests.length
  expect(failed).toBeGreaterThan(0.03)
  expect(failed).toBeLessThan(0.07)
})
