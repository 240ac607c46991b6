import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startProxy } from '../../src/clients/proxy/index.js'
import { openJournal } from '../../src/index.js'
import * as answers from '../clients/upstream/answers.js'
import { startUpstream, type Upstream } from '../clients/upstream/upstream.js'
import { codeBlocks } from '../support/pages.js'
import { end, PROGRAM } from '../support/program.js'
import { shapeOf } from './reader.js'
import {
  ask,
  baseUrls,
  linesOf,
  linkPackages,
  output,
  rowsIn,
  start,
  urlOf,
  workingFolder,
} from './support.js'

/** The blocks of code in a language that a part of a page has. */
function blocks(page: string, heading: string, language: string): string[] {
  const found = codeBlocks(page, heading).filter((block) => block.language === language)
  return found.map(({ text }) => text)
}

/** Writes a block as a program, whose provider is the upstream. */
function programOf(folder: string, block: string | undefined, upstream: Upstream): string {
  linkPackages(folder)
  const path = join(folder, 'program.mjs')
  const code = block
    ?.replaceAll('https://api.openai.com', upstream.url)
    .replace('upstream:', 'port: 0, upstream:')
  writeFileSync(path, `const logger = { warn: console.error, error: console.error }\n${code}`)
  return path
}

const CHAT = { input_tokens: 19, output_tokens: 10 }

test.each([
  [
    'README.md',
    'Log your requests',
    0,
    { model: 'gpt-4o', streaming: true, input_tokens: 812, cost_usd: 0.01843, labels: { team: 'search' } },
  ],
  ['README.md', 'Log your requests', 1, { model: 'gpt-4o', provider: 'openai', streaming: false, ...CHAT }],
  [
    'docs/clients.md',
    'fetch: one line in a Node.js program',
    0,
    { model: 'gpt-4o', streaming: true, ...CHAT },
  ],
  [
    'docs/clients.md',
    'begin: in a gateway of your own',
    0,
    { model: 'gpt-4o', provider: 'openai', ...CHAT, cost_usd: 0.00015 },
  ],
])('the program of %s under "%s" runs, and logs what it says', async (page, heading, index, row) => {
  const folder = workingFolder()
  const upstream = await startUpstream()
  const program = programOf(folder, blocks(page, heading, 'ts')[index], upstream)
  await output(folder, [process.execPath, program], baseUrls(upstream))
  expect(await rowsIn(folder)).toMatchObject([{ ...row, success: true }])
})

test('the proxy that docs/clients.md starts passes requests on, and logs them', async () => {
  const folder = workingFolder()
  const upstream = await startUpstream()
  const program = programOf(folder, blocks('docs/clients.md', 'Proxy', 'ts')[0], upstream)
  const proxy = start(folder, [process.execPath, program], {})
  expect((await ask(await urlOf(proxy), { 'x-user': 'ann' })).status).toBe(200)
  await end(proxy)
  expect(await rowsIn(folder)).toMatchObject([{ success: true, ...CHAT, labels: { user: 'ann' } }])
})

test('the one command of docs/clients.md is a logged gateway with a dashboard, from an empty folder', async () => {
  const folder = workingFolder()
  const upstream = await startUpstream()
  const [command = ''] = blocks('docs/clients.md', 'Proxy', 'sh')
  const args = command.trim().replace('https://api.openai.com', upstream.url).split(' ').slice(2)
  const free = ['--port', '0', '--serve-port', '0', '--log-level', 'warn']
  const proxy = start(folder, [process.execPath, PROGRAM, ...args, ...free], {})
  const printed = await linesOf(proxy, 3)
  const [shown = ''] = blocks('docs/clients.md', 'Proxy', 'text')
  expect(shapeOf(printed.join('\n'))).toBe(shapeOf(shown))
  const told = Object.fromEntries(printed.slice(1).map((line) => line.split(/[= ]/) as [string, string]))
  const question = { model: 'gpt-4o', messages: [{ role: 'user', content: answers.PROMPT }] }
  const response = await fetch(`${told['OPENAI_BASE_URL']}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(question),
  })
  expect(await response.text()).toBe(answers.chat().body)
  const stats = async () =>
    (await (await fetch(`${told['dashboard']}/v1/stats`)).json()) as { counts: object }
  await expect
    .poll(async () => (await stats()).counts, { timeout: 15_000 })
    .toMatchObject({ total: 1, success: 1 })
  expect(await (await fetch(`${told['dashboard']}/`)).text()).toContain('<title>request-journal</title>')
})

test('the upstreams of docs/clients.md pass requests on by their prefixes, with providers and labels', async () => {
  const folder = workingFolder()
  const upstream = await startUpstream()
  const [file = ''] = blocks('docs/clients.md', 'Proxy', 'json')
  const upstreams = JSON.parse(file.replace(/https?:\/\/[^"]*/g, upstream.url))
  const journal = openJournal({ directory: join(folder, 'journal') })
  const proxy = await startProxy(journal, { upstreams, port: 0 })
  for (const prefix of Object.keys(upstreams)) expect((await ask(`${proxy.url}${prefix}`)).status).toBe(200)
  await proxy.close()
  await journal.close()
  expect(await rowsIn(folder)).toMatchObject([
    { provider: '127.0.0.1', ...CHAT },
    { provider: '127.0.0.1', ...CHAT, labels: { team: 'research' } },
    { provider: 'vllm', ...CHAT },
  ])
})

test('the handle of a stream in docs/clients.md logs its first byte, and its end with the tokens', async () => {
  const folder = workingFolder()
  const [lines = ''] = blocks('docs/clients.md', 'begin: in a gateway of your own', 'js')
  const AsyncFunction = (async () => {}).constructor as new (
    ...texts: string[]
  ) => (journal: object, stream: AsyncIterable<object>) => Promise<void>
  const journal = openJournal({ directory: join(folder, 'journal') })
  const log = new AsyncFunction('journal', 'stream', lines)
  async function* stream(isBroken: boolean) {
    yield { usage: null }
    if (isBroken) throw new Error('cut off')
    yield { usage: { prompt_tokens: 19, completion_tokens: 10 } }
  }
  await log(journal, stream(false))
  await log(journal, stream(true))
  await journal.close()
  expect(await rowsIn(folder)).toMatchObject([
    { streaming: true, success: true, ...CHAT },
    { streaming: true, success: false, error_message: 'Error: cut off' },
  ])
})
