import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { runHere } from '../../support/command.js'
import { end, PROGRAM } from '../../support/program.js'
import { CHAT_TOKENS, chatStream } from '../upstream/answers.js'
import { startUpstream, type Upstream } from '../upstream/upstream.js'
import { ask, CHAT, chatBody, eventsOf, until } from './support.js'

const STREAM = chatBody({ stream: true, stream_options: { include_usage: true } })

interface Running {
  child: ChildProcess
  url: string
  /** What it has printed. */
  lines: string[]
  folder: string
  journal: string
  log(): string
}

/** Starts the command in a folder of its own, and returns once it has printed its URL. */
async function start(args: string[], folder = emptyFolder()): Promise<Running> {
  const ports = ['--port', '0', '--serve-port', '0']
  const child = spawn(process.execPath, [PROGRAM, 'proxy', ...ports, ...args], { cwd: folder })
  onTestFinished(async () => void (await end(child, 'SIGKILL')))
  let text = ''
  child.stderr.on('data', (chunk) => {
    text += chunk
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  const exit = once(child, 'exit').then(([status]) => {
    throw new Error(`proxy ended with ${status}: ${text}`)
  })
  exit.catch(() => {})
  const started = until(
    () => text,
    (found) => found.includes('"Passing requests on"'),
  )
  await Promise.race([started, exit])
  return { child, url: lines[0] ?? '', lines, folder, journal: join(folder, 'journal'), log: () => text }
}

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-proxy-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** An upstream whose streams take a while. */
async function slowUpstream(): Promise<Upstream> {
  const upstream = await startUpstream()
  upstream.delivery = { chunkBytes: 300, pauseMs: 10 }
  return upstream
}

test('one command in an empty folder logs a request and shows it on its dashboard', async () => {
  const upstream = await startUpstream()
  const { child, url, lines, journal } = await start([
    '--upstream',
    upstream.url,
    '--serve',
    '--label',
    'env=test',
  ])
  expect(lines).toEqual([
    expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    `OPENAI_BASE_URL=${url}/v1`,
    expect.stringMatching(/^dashboard http:\/\/127\.0\.0\.1:\d+$/),
  ])
  const dashboard = lines[2]?.replace('dashboard ', '') ?? ''
  expect((await ask(url, CHAT, { body: chatBody() })).status).toBe(200)
  expect((await ask(dashboard, '/', { method: 'GET' })).body.toString()).toContain(
    '<title>request-journal</title>',
  )
  let found = ''
  while (!found.includes('"gpt-4o"')) {
    await sleep(20)
    found = (await ask(dashboard, '/v1/requests', { method: 'GET' })).body.toString()
  }
  expect(JSON.parse(found).data[0]).toMatchObject({ model: 'gpt-4o', tokens: { input: 19, output: 10 } })
  expect(await end(child)).toBe(0)
  expect(eventsOf(journal)).toEqual([expect.objectContaining({ labels: { env: 'test' }, ...CHAT_TOKENS })])
})

test('--upstreams tells which variable clients of each set, and --project projects into the database that other commands ask', async () => {
  const upstream = await startUpstream()
  const folder = emptyFolder()
  const file = join(folder, 'upstreams.json')
  const upstreams = {
    '/here': upstream.url,
    '/openai': 'https://api.openai.com',
    '/anthropic': 'https://api.anthropic.com',
    '/router': 'https://openrouter.ai/api/v1',
    '/gemini': 'https://generativelanguage.googleapis.com',
  }
  writeFileSync(file, JSON.stringify(upstreams))
  const { child, url, lines } = await start(['--upstreams', file, '--project'], folder)
  expect(lines.slice(1).sort()).toEqual([
    `ANTHROPIC_BASE_URL=${url}/anthropic`,
    `GOOGLE_GEMINI_BASE_URL=${url}/gemini`,
    `OPENAI_BASE_URL=${url}/here/v1`,
    `OPENAI_BASE_URL=${url}/openai/v1`,
    `OPENAI_BASE_URL=${url}/router`,
  ])
  expect((await ask(url, `/here${CHAT}`, { body: chatBody() })).status).toBe(200)
  expect(await end(child)).toBe(0)
  // What it hasn't projected before it stopped is projected now.
  const place = ['--journal', join(folder, 'journal'), '--db', join(folder, 'requests.db')]
  expect((await runHere(['project', '--once', ...place])).status).toBe(0)
  expect((await runHere(['verify', ...place])).status).toBe(0)
})

describe('SIGTERM', () => {
  test('lets a stream that runs end, makes the journal durable, and ends with 0', async () => {
    const upstream = await slowUpstream()
    const { child, url, journal, log } = await start(['--upstream', upstream.url])
    const answered = ask(url, CHAT, { body: STREAM })
    await until(
      () => eventsOf(journal).length,
      (count) => count === 1,
    )
    expect(await end(child)).toBe(0)
    expect((await answered).body.toString()).toBe(chatStream().body)
    expect(eventsOf(journal)[1]).toMatchObject({ type: 'stream_completed', success: true, ...CHAT_TOKENS })
    expect(log()).toContain('"Proxy stopped"')
  })

  test('cuts a stream off after the time of grace, and logs that', async () => {
    const upstream = await startUpstream()
    upstream.delivery = { stallAfter: 700 }
    const { child, url, journal } = await start(['--upstream', upstream.url, '--grace-seconds', '0'])
    const answered = expect(ask(url, CHAT, { body: STREAM })).rejects.toThrow('aborted')
    await until(
      () => eventsOf(journal).length,
      (count) => count === 1,
    )
    expect(await end(child)).toBe(0)
    await answered
    expect(eventsOf(journal)[1]).toMatchObject({
      success: false,
      error_message: expect.stringContaining('the proxy was stopped'),
    })
  })

  test('a second one ends it at once', async () => {
    const upstream = await startUpstream()
    upstream.delivery = { stallAfter: 700 }
    const { child, url, journal, log } = await start(['--upstream', upstream.url])
    const answered = expect(ask(url, CHAT, { body: STREAM })).rejects.toThrow()
    await until(
      () => eventsOf(journal).length,
      (count) => count === 1,
    )
    child.kill()
    await until(log, (text) => text.includes('"Stopping"'))
    expect(await end(child)).toBe(143)
    await answered
  })
})

describe('wrong use is said, with exit code', () => {
  test.each([
    [[], 2, "expected either '--upstream <url>' or '--upstreams <file>'"],
    [['--upstream', 'http://a.example', '--upstreams', 'x.json'], 2, "expected either '--upstream <url>' or"],
    [['--upstream', 'api.openai.com'], 2, 'upstreams: /: found "api.openai.com", expected a URL'],
    [
      ['--upstream', 'http://a.example', '--host', '0.0.0.0'],
      2,
      'may be reached from other machines, and no token is set',
    ],
    [['--upstream', 'http://a.example', '--rollup-label', 'x'], 2, "needs '--project' or '--serve'"],
    [['--upstream', 'http://a.example', '--label', 'x'], 2, 'Expected name=value'],
    [['--upstream', 'http://a.example', '--label-header', 'x'], 2, 'Expected header=name'],
    [
      ['--upstream', 'http://a.example', '--label-header', 'Authorization=key'],
      2,
      'Expected a header without a key',
    ],
    [['--upstreams', '/nowhere/upstreams.json'], 1, 'the file of upstreams /nowhere/upstreams.json can'],
  ])('%j: %d', async (args, status, message) => {
    const journal = join(emptyFolder(), 'journal')
    const place = ['--journal', journal]
    const outcome = await runHere(['proxy', '--port', '0', ...place, ...args])
    expect(outcome.stderr).toContain(message)
    expect(outcome.status).toBe(status)
    expect(existsSync(journal)).toBe(false)
  })

  test('a file of upstreams that is not JSON: 1', async () => {
    const folder = emptyFolder()
    writeFileSync(join(folder, 'upstreams.json'), '{"/a": ')
    const outcome = await runHere(['proxy', '--upstreams', join(folder, 'upstreams.json')])
    expect(outcome.stderr).toContain("upstreams.json isn't JSON")
    expect(outcome.status).toBe(1)
  })
})
