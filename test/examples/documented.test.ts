import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as answers from '../clients/upstream/answers.js'
import { startUpstream, type Upstream } from '../clients/upstream/upstream.js'
import { codeBlocks } from '../support/pages.js'
import { end, PROGRAM } from '../support/program.js'
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
  ['README.md', 'Log your requests', 1, { model: 'gpt-4o', streaming: false, ...CHAT }],
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
