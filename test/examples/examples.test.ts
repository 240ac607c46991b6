import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import * as answers from '../clients/upstream/answers.js'
import { startUpstream } from '../clients/upstream/upstream.js'
import { end, PROGRAM } from '../support/program.js'
import { ask, baseUrls, output, rowsIn, start, urlOf, workingFolder } from './support.js'

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))

const example = (name: string) => join(EXAMPLES, name)

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
