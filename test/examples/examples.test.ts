import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import * as answers from '../clients/upstream/answers.js'
import { startUpstream, type Upstream } from '../clients/upstream/upstream.js'
import { runHere } from '../support/command.js'
import { end, PROGRAM } from '../support/program.js'

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))

/** A folder to run an example in, as a user does. */
function workingFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-example-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function start(folder: string, command: string[], environment: Record<string, string>): ChildProcess {
  const [program = '', ...args] = command
  const keys = {
    OPENAI_API_KEY: answers.KEY,
    ANTHROPIC_API_KEY: answers.KEY,
    OPENROUTER_API_KEY: answers.KEY,
  }
  const env = { ...process.env, ...keys, PORT: '0', ...environment }
  const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(async () => void (await end(child, 'SIGKILL')))
  return child
}

/** Runs an example to its end, and returns what it prints. */
async function output(
  folder: string,
  command: string[],
  environment: Record<string, string>,
): Promise<string> {
  const child = start(folder, command, environment)
  let text = ''
  child.stdout?.on('data', (chunk) => {
    text += chunk
  })
  const [status] = await once(child, 'close')
  expect(status, text).toBe(0)
  return text
}

/** The first line that a server prints, which is its URL. */
async function urlOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('its output is not piped')
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return url
}

const example = (name: string) => join(EXAMPLES, name)

/** The rows of what was logged in a folder, the oldest first; each must say nothing of content or keys. */
async function rowsIn(folder: string): Promise<Record<string, unknown>[]> {
  const journal = join(folder, 'journal')
  const database = join(folder, 'requests.db')
  await projectOnce({ journal, database })
  const text = readdirSync(journal)
    .map((name) => readFileSync(join(journal, name), 'utf8'))
    .join('')
  for (const secret of [answers.KEY, answers.PROMPT, answers.TEXT]) expect(text).not.toContain(secret)
  const { stdout } = await runHere(['export', '--db', database])
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((row) => Object.keys(row).length > 1)
}

async function ask(url: string, headers: Record<string, string> = {}, question: object = {}) {
  const body = { model: 'gpt-4o', messages: [{ role: 'user', content: answers.PROMPT }], ...question }
  return await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

function baseUrls(upstream: Upstream): Record<string, string> {
  const OPENAI_BASE_URL = `${upstream.url}/v1`
  return { OPENAI_BASE_URL, ANTHROPIC_BASE_URL: OPENAI_BASE_URL, OPENROUTER_BASE_URL: OPENAI_BASE_URL }
}

test('the first line of each example says how to run it', () => {
  for (const name of readdirSync(EXAMPLES)) {
    const [first] = readFileSync(example(name), 'utf8').split('\n')
    expect(first, name).toMatch(/^(\/\/|#) Run: .*\S/)
    expect(first, name).toContain(`examples/${name}`)
  }
})

test('script.js prints the answer of the openai package, and logs its stream with the tokens', async () => {
  const folder = workingFolder()
  const upstream = await startUpstream()
  const printed = await output(
    folder,
    [process.execPath, example('script.js'), answers.PROMPT],
    baseUrls(upstream),
  )
  expect(printed).toBe(`${answers.TEXT}\n`)
  expect(await rowsIn(folder)).toMatchObject([
    {
      model: 'gpt-4o-mini',
      streaming: true,
      success: true,
      ...answers.CHAT_TOKENS,
      labels: { program: 'script' },
    },
  ])
})

test('ai-sdk.js logs what the AI SDK asks OpenAI and Anthropic', async () => {
  const folder = workingFolder()
  const upstream = await startUpstream()
  const printed = await output(
    folder,
    [process.execPath, example('ai-sdk.js'), answers.PROMPT],
    baseUrls(upstream),
  )
  expect(printed).toBe(`${answers.TEXT}\n${answers.TEXT}\n`)
  expect(await rowsIn(folder)).toMatchObject([
    {
      model: 'gpt-4.1',
      streaming: true,
      success: true,
      ...answers.RESPONSES_TOKENS,
      labels: { team: 'search' },
    },
    { model: 'claude-sonnet-4-5', streaming: false, success: true, ...answers.MESSAGE_TOKENS },
  ])
})

test('fastify-gateway.js passes answers on as they come, and logs whose they were and who left', async () => {
  const folder = workingFolder()
  const upstream = await startUpstream()
  const gateway = start(folder, [process.execPath, example('fastify-gateway.js')], baseUrls(upstream))
  const url = await urlOf(gateway)
  expect(await (await ask(url, { 'x-user': 'ann' })).json()).toMatchObject({ model: 'gpt-4o-2024-08-06' })
  const streamed = await ask(url, { 'x-user': 'ann' }, { stream: true })
  const text = await streamed.text()
  // The client hasn't asked for usage, so it doesn't get the chunk that tells it.
  expect(text).toMatch(/^data: \{"id":"chatcmpl-123".*data: \[DONE\]\n\n$/s)
  expect(text).not.toContain('prompt_tokens')
  upstream.answerNext(answers.openAiError(429, 'slow down'))
  expect((await ask(url)).status).toBe(429)
  upstream.delivery = { chunkBytes: 400, stallAfter: 400 }
  const left = await ask(url, {}, { stream: true })
  await left.body?.cancel()
  await expect.poll(() => upstream.brokenOff).toBe(1)
  const tokens = { input_tokens: 19, output_tokens: 10 }
  await expect
    .poll(() => rowsIn(folder))
    .toMatchObject([
      { provider: 'openai', streaming: false, success: true, ...tokens, labels: { user: 'ann' } },
      { provider: 'openai', streaming: true, success: true, ...tokens, labels: { user: 'ann' } },
      { success: false, error_status: 429, error_message: expect.stringContaining('slow down') },
      { success: false, error_message: expect.stringMatching(/^aborted by the client/) },
    ])
})

test('express-gateway.js goes to the next provider, and logs each attempt under one correlation_id', async () => {
  const folder = workingFolder()
  const upstream = await startUpstream()
  const gateway = start(folder, [process.execPath, example('express-gateway.js')], baseUrls(upstream))
  const url = await urlOf(gateway)
  upstream.answerNext(answers.openAiError(503, 'overloaded'))
  expect(await (await ask(url, {}, { stream: true })).json()).toMatchObject({ model: 'gpt-4o-2024-08-06' })
  upstream.answerNext(answers.openAiError(400, 'no such model'))
  expect((await ask(url)).status).toBe(400)
  upstream.answerNext({ ...answers.chat(), delivery: { breakAfter: -1 } }, answers.openAiError(500, 'broken'))
  expect((await ask(url)).status).toBe(502)
  const rows = await rowsIn(folder)
  expect(rows).toMatchObject([
    { provider: 'openai', attempt: 0, success: false, error_status: 503, error_message: 'overloaded' },
    {
      provider: 'openrouter',
      attempt: 1,
      success: true,
      input_tokens: 19,
      output_tokens: 10,
      policy: 'in order',
    },
    { provider: 'openai', attempt: 0, success: false, error_status: 400 },
    { provider: 'openai', attempt: 0, success: false, error_message: 'fetch failed' },
    { provider: 'openrouter', attempt: 1, success: false, error_status: 500 },
  ])
  expect(new Set(rows.map((row) => row['correlation_id'])).size).toBe(3)
})

test('python_client.py is logged by the proxy, of which it needs to know the base URL only', async () => {
  const folder = workingFolder()
  const upstream = await startUpstream()
  const proxy = start(
    folder,
    [process.execPath, PROGRAM, 'proxy', '--upstream', upstream.url, '--port', '0', '--log-level', 'warn'],
    {},
  )
  const environment = { OPENAI_BASE_URL: `${await urlOf(proxy)}/v1` }
  const printed = await output(folder, ['python3', example('python_client.py'), answers.PROMPT], environment)
  expect(printed).toBe(`${answers.TEXT}\n`)
  await end(proxy)
  expect(await rowsIn(folder)).toMatchObject([
    { model: 'gpt-4o-mini', streaming: true, success: true, ...answers.CHAT_TOKENS },
  ])
})
