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
import { end, run } from '../support/program.js'

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
  const { stdout } = run(['export', '--db', database])
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
