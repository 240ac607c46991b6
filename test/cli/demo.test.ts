import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, type TestContext, test, vi } from 'vitest'
import { type DemoFailure, demoPrices, demoRequest } from '../../src/cli/demo/demo-traffic.js'
import { startDemoUpstream } from '../../src/cli/demo/demo-upstream.js'
import { servedHistory } from '../../src/cli/demo/served-traffic.js'
import { showDemo } from '../../src/cli/demo.js'
import { standardError } from '../../src/cli/output/standard-error.js'
import { findDifferences } from '../support/checker.js'
import { runHere } from '../support/command.js'
import { PROGRAM } from '../support/program.js'

const REQUESTS = 800
const madeUp = (count: number) => Array.from({ length: count }, (_, index) => demoRequest(index))

/** Whether the openai package tries again after such an answer. */
function isRetried(failure: DemoFailure | null): boolean {
  return failure !== null && failure.status !== 400
}

function startDemo(
  { onTestFinished }: TestContext,
  ...args: string[]
): {
  demo: ChildProcess
  folder: string
  output: () => string
} {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-demo-test-'))
  const demo = spawn(process.execPath, [PROGRAM, 'demo', ...args], {
    env: { ...process.env, TMPDIR: folder },
  })
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

test('shows everything, leaves the files and no process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-demo-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  let text = ''
  const collect = (chunk: unknown) => {
    text += chunk
    return true
  }
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation(collect)
  const stderr = vi.spyOn(standardError, 'write').mockImplementation(collect)
  // Its five seconds would bring hundreds of requests more of the same.
  await showDemo(folder, 1500).finally(() => {
    stdout.mockRestore()
    stderr.mockRestore()
  })
  const output = () => text
  expect(output()).toContain('requests a second by the openai package')
  const sent = Number(/^([\d,]+) requests sent/m.exec(output())?.[1]?.replaceAll(',', ''))
  const requests = madeUp(sent)
  const rows = requests.reduce((sum, { failure }) => sum + (isRetried(failure) ? 2 : 1), 0)
  const streams = requests.filter(
    ({ streaming, failure }) => streaming && (failure?.isTemporary ?? true),
  ).length
  const events = (rows + streams + demoPrices(0).length).toLocaleString('en')
  expect(output()).toContain(`appended ${events}  projected ${events}  lag 0 events`)
  expect(output().match(/^appended /gm)?.length).toBeGreaterThan(1)
  expect(output()).toMatch(/in the median/)
  expect(output()).toMatch(/^window {4}since \S+ \S+ UTC before \S+ \S+ UTC$/m)
  expect(output()).toMatch(/127\.0\.0\.1:8790\/\?since=\S+:00\.000Z&before=\S+:00\.000Z$/m)
  expect(output()).toMatch(/^claude-sonnet-4 .* \d+/m)
  const journal = join(folder, 'journal')
  const database = join(folder, 'requests.db')
  expect(output()).toContain(`REQUEST_JOURNAL_DIR=${journal}\n`)
  expect(output()).toContain(`REQUEST_JOURNAL_DB=${database}\n`)
  expect((await runHere(['status', '--journal', journal, '--db', database, '--json'])).json).toMatchObject({
    database: { requests: rows, rejected: 0, held: 0, projector_running: false },
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
  const { counts } = (await runHere(['stats', ...place, '--unpriced', '--unknown'])).json as {
    counts: Record<string, number>
  }
  const broken = requests.filter(({ isBroken, failure }) => isBroken && (failure?.isTemporary ?? true)).length
  const failed = requests.reduce(
    (sum, { failure }) => sum + (failure === null ? 0 : failure.isTemporary || !isRetried(failure) ? 1 : 2),
    0,
  )
  expect(counts).toMatchObject({ error: failed + broken, unpriced: failed + broken, unfinished: 0, open: 0 })
  expect(processesIn(folder)).toBe('')
})

test('Ctrl-C stops the projector and removes everything, exit 130', async (context) => {
  const { demo, folder, output } = startDemo(context)
  await expect.poll(output, { timeout: 15_000, interval: 20 }).toMatch(/^appended /m)
  expect(processesIn(folder)).toContain('project --journal')
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^request-journal-demo-/)])
  demo.kill('SIGINT')
  const [status] = await once(demo, 'close')
  expect(status).toBe(130)
  expect(readdirSync(folder)).toEqual([])
  expect(processesIn(folder)).toBe('')
})

test('--serve keeps the page open over two weeks, and asks on; Ctrl-C removes everything, exit 130', async (context) => {
  const { demo, folder, output } = startDemo(context, '--serve')
  await expect.poll(output, { timeout: 15_000, interval: 20 }).toMatch(/Ctrl-C/)
  const [url = ''] = /^http:\S+(?=\/\?range=7d$)/m.exec(output()) ?? []
  expect((await fetch(`${url}/?range=7d`)).status).toBe(200)
  const total = async (filter: string) => {
    const answer = await fetch(`${url}/v1/stats?range=last_30d${filter}`)
    return ((await answer.json()) as { counts: { total: number } }).counts.total
  }
  const before = await total('')
  expect(before).toBeGreaterThan(10_000)
  await context.expect.poll(() => total(''), { timeout: 15_000, interval: 50 }).toBeGreaterThan(before)
  const asked = await total('&unpriced=both&success=true')
  expect(asked).toBeGreaterThan(100)
  demo.kill('SIGINT')
  const [status] = await once(demo, 'close')
  expect(status).toBe(130)
  expect(output().split('removes them.')[1]).toBe('\n')
  expect(readdirSync(folder)).toEqual([])
})

test('the history of --serve has requests in every hour, all providers, streams, failures and retries', () => {
  const now = Date.parse('2026-11-27T12:00:00Z')
  const events = [...servedHistory(now)] as unknown as Record<string, unknown>[]
  // As text: comparing so many objects takes a second.
  expect(JSON.stringify([...servedHistory(now)]) === JSON.stringify(events)).toBe(true)
  const requests = events.filter(({ model, type }) => model !== undefined && type === undefined)
  const hours = new Set(requests.map(({ timestamp }) => String(timestamp).slice(0, 13)))
  expect(hours.size).toBe(14 * 24)
  const [first, last] = [requests[0], requests.at(-1)].map((event) =>
    Date.parse(String(event?.['timestamp'])),
  )
  expect(first).toBe(now - 14 * 86_400_000)
  expect(last).toBeLessThan(now)
  const priced = new Set(events.filter(({ type }) => type === 'price_set').map(({ model }) => model))
  const models = new Set(requests.map(({ model }) => model))
  expect([...models].filter((model) => !priced.has(model))).toEqual(['gemini-3-preview'])
  expect(new Set(requests.map(({ provider }) => provider)).size).toBe(5)
  const ends = events.filter(({ type }) => type === 'stream_completed')
  expect(ends.length).toBeGreaterThan(requests.length / 5)
  expect(requests.some(({ attempt }) => attempt === 1)).toBe(true)
})

test('the made-up traffic is the same each time, and has models, streams and failures', () => {
  const requests = madeUp(REQUESTS)
  expect(madeUp(REQUESTS)).toEqual(requests)
  expect(new Set(requests.map(({ model }) => model.model)).size).toBe(5)
  expect(requests.filter(({ streaming }) => streaming).length).toBeGreaterThan(REQUESTS / 4)
  expect(requests.filter(({ isBroken }) => isBroken).length).toBeGreaterThan(0)
  const failed = requests.filter(({ failure }) => failure !== null).length / REQUESTS
  expect(failed).toBeGreaterThan(0.03)
  expect(failed).toBeLessThan(0.07)
})

// A process of its own, since a module that was loaded once can't be missing any more.
const CLIENT_WITHOUT_OPENAI = `
  import { register } from 'node:module'
  register('data:text/javascript,' + encodeURIComponent(\`
    export async function resolve(specifier, context, next) {
      if (specifier === 'openai') throw new Error('not installed')
      return await next(specifier, context)
    }\`))
  const { makeDemoClient } = await import('./dist/cli/demo/demo-client.js')
  const { openJournal } = await import('./dist/index.js')
  const [directory, baseUrl] = process.argv.slice(1)
  const journal = openJournal({ directory })
  const client = await makeDemoClient(journal, baseUrl)
  await Promise.all(Array.from({ length: 40 }, (_, index) => client.send(index)))
  await journal.close()
  process.stdout.write(client.name)
`

test('where the openai package is missing, fetch asks, and each answer is logged with its tokens', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-demo-client-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const upstream = await startDemoUpstream()
  onTestFinished(() => upstream.close())
  const child = spawn(
    process.execPath,
    ['--input-type=module', '--eval', CLIENT_WITHOUT_OPENAI, directory, upstream.baseUrl],
    { cwd: fileURLToPath(new URL('../..', import.meta.url)), stdio: ['ignore', 'pipe', 'inherit'] },
  )
  expect(await text(child.stdout)).toBe('fetch')
  const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.ndjson'))
  const lines = readFileSync(join(directory, name), 'utf8').trim().split('\n')
  const events = lines.map((line) => JSON.parse(line))
  expect(events.filter(({ type }) => type === 'request_logged')).toHaveLength(40)
  const tokens = events.flatMap(({ input_tokens }) => (input_tokens === null ? [] : [input_tokens]))
  const answered = madeUp(40).filter(({ failure, isBroken }) => failure === null && !isBroken)
  expect(tokens.toSorted()).toEqual(answered.map(({ inputTokens }) => inputTokens).toSorted())
})
