import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect, test } from 'vitest'
import * as answers from '../clients/upstream/answers.js'
import { answerByPath, startUpstream } from '../clients/upstream/upstream.js'
import { codeBlocks } from '../support/pages.js'
import { PROGRAM, run } from '../support/program.js'
import { linesOf, linkPackages, rowsIn, start, workingFolder } from './support.js'

const SPEND_LOGS = new URL('../maintenance/import/files/litellm-spend-logs.csv', import.meta.url)

/** A reader who follows a page in an empty folder, in which the package is installed. */
class Reader {
  readonly folder = workingFolder()
  /** What stands on the page, and what it is here. */
  readonly #names = new Map<string, string>()
  readonly #environment: Record<string, string>
  /** `export` lines of the blocks so far: a block has a shell of its own here, a reader has one for all. */
  #exports = ''

  constructor(upstream: string) {
    linkPackages(this.folder)
    this.#names.set('https://api.openai.com', upstream)
    const bin = join(this.folder, 'node_modules/.bin')
    mkdirSync(bin)
    symlinkSync(PROGRAM, join(bin, 'request-journal'))
    // npx itself takes half a second to find the program that is beside it.
    writeFileSync(join(bin, 'npx'), '#!/bin/sh\nexec "$@"\n')
    chmodSync(join(bin, 'npx'), 0o755)
    this.#environment = {
      PATH: `${bin}:${process.env['PATH']}`,
      REQUEST_JOURNAL_LOG_LEVEL: 'warn',
      COLUMNS: '',
    }
  }

  /** Starts a server, and returns as many lines as it is expected to print. */
  async serve(text: string, expected: string): Promise<string> {
    const free = { REQUEST_JOURNAL_PORT: '0', REQUEST_JOURNAL_SERVE_PORT: '0' }
    const command = ['sh', '-c', `exec ${this.#here(text)}`]
    const server = start(this.folder, command, { ...this.#environment, ...free })
    const lines = await linesOf(server, expected.trimEnd().split('\n').length)
    const told = expected.match(/http:\/\/127\.0\.0\.1:\d+/g) ?? []
    const found = lines.join('\n').match(/http:\/\/127\.0\.0\.1:\d+/g) ?? []
    for (const [index, url] of told.entries()) this.#names.set(url, found[index] ?? url)
    return lines.join('\n')
  }

  async run(text: string): Promise<string> {
    const script = `set -e\n${this.#exports}${this.#here(text)}`
    const child: ChildProcess = spawn('sh', ['-c', script], {
      cwd: this.folder,
      env: { ...process.env, OPENAI_API_KEY: answers.KEY, ...this.#environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const outputs = { stdout: '', stderr: '' }
    child.stdout?.on('data', (chunk) => (outputs.stdout += chunk))
    child.stderr?.on('data', (chunk) => (outputs.stderr += chunk))
    const [status] = await once(child, 'close')
    expect(status, `${script}\n${outputs.stdout}${outputs.stderr}`).toBe(0)
    this.#exports += (this.#here(text).match(/^export .*\n/gm) ?? []).join('')
    return outputs.stdout
  }

  #here(text: string): string {
    return [...this.#names].reduce((result, [name, here]) => result.replaceAll(name, here), text)
  }
}

/** What is printed, without what differs from one run to the next: numbers, and the width of columns. */
const shapeOf = (text: string) =>
  text
    .trim()
    .replace(/\d[\d.,:-]*/g, '0')
    .replace(/\s+/g, ' ')

const isThere = (program: string, argument: string) => spawnSync(program, [argument]).status === 0
const hasSqlite = isThere('sqlite3', '-version')

/**
 * Runs the blocks of a page in their order, and compares what they print with the `text` that follows. Blocks that are
 * marked `network` or `checkout` are for `test:package`: here their commands are only held to `--help`, by readme.test.ts.
 */
async function follow(reader: Reader, page: string, heading?: string): Promise<number> {
  const blocks = codeBlocks(page, heading)
  let count = 0
  for (const [index, { language, marks, text }] of blocks.entries()) {
    const next = blocks[index + 1]
    const expected = next?.language === 'text' ? next.text : undefined
    if (language === 'js') writeFileSync(join(reader.folder, marks[0] ?? ''), text)
    if (language === 'python') {
      writeFileSync(join(reader.folder, 'program.py'), text)
      await reader.run('python3 program.py')
      count++
    }
    if (language !== 'sh' || marks.includes('network') || marks.includes('checkout')) continue
    count++
    const script = hasSqlite ? text : text.replace(/^sqlite3 .*$/gm, '')
    if (marks.includes('server')) {
      const printed = await reader.serve(script, expected ?? 'http://127.0.0.1:8791')
      if (expected !== undefined) expect(shapeOf(printed)).toBe(shapeOf(expected))
    } else if (expected === undefined) await reader.run(script)
    else {
      // A question may come before the projector has seen the newest line.
      const shape = async () => shapeOf(await reader.run(script))
      await expect.poll(shape, { timeout: 10_000 }).toBe(shapeOf(expected))
    }
  }
  return count
}

test.each(['README.md', 'docs/tutorial.md'])(
  'the commands of %s run as they stand in an empty folder',
  async (page) => {
    const upstream = await startUpstream()
    // The first answer to anybody has nothing from a cache.
    upstream.handler = (received) => {
      const answer = answerByPath(received)
      const body = answer.body.replace('"cached_tokens": 8', '"cached_tokens": 0')
      return { ...answer, body: body.replace('"reasoning_tokens": 4', '"reasoning_tokens": 0') }
    }
    expect(await follow(new Reader(upstream.url), page)).toBeGreaterThan(1)
  },
)

/** A reader whose folder has a log of one request already. */
function readerWithLog(): Reader {
  const reader = new Reader('')
  const input = '{"model":"gpt-4o","latency_ms":812,"success":true,"labels":{"team":"search"}}\n'
  run(['append'], { cwd: reader.folder, input })
  run(['project', '--once'], { cwd: reader.folder })
  return reader
}

test('the commands of docs/operations.md make a backup, and restore one that is older than the database', async () => {
  const reader = readerWithLog()
  const [backup = '', restore = ''] = codeBlocks('docs/operations.md', 'Backup and restore')
    .filter(({ language }) => language === 'sh')
    .map(({ text }) => text)
  await reader.run(backup)
  run(['append'], { cwd: reader.folder, input: '{"model":"later","latency_ms":1,"success":true}\n' })
  run(['project', '--once'], { cwd: reader.folder })
  await reader.run(restore)
  const restored = run(['stats', '--db', 'requests.db', '--json'], { cwd: reader.folder })
  expect(restored.json).toMatchObject({ counts: { total: 1 } })
})

test('the questions of docs/asking.md are answered', async () => {
  expect(await follow(readerWithLog(), 'docs/asking.md', 'Questions that come up every month')).toBe(1)
})

test('the commands of docs/import.md take in an export of LiteLLM, a CSV file and a table', async () => {
  const reader = new Reader('')
  const file = (name: string) => join(reader.folder, name)
  const spendLogs = readFileSync(SPEND_LOGS, 'utf8').split('\n').slice(0, 5)
  writeFileSync(file('spend-logs.csv'), spendLogs.join('\n'))
  writeFileSync(file('calls.csv'), 'when,model,ms,team\n2026-10-25 02:30:00,gpt-4o,812,search\n')
  const table = new SQLite(file('old.db'))
  table.exec('CREATE TABLE requests (timestamp TEXT, model TEXT, latency_ms INTEGER, success INTEGER)')
  table.exec("INSERT INTO requests VALUES ('2026-10-30 10:00:00', 'gpt-4o', 640, 1)")
  table.close()
  expect(await follow(reader, 'docs/import.md')).toBe(3)
  const rows = await rowsIn(reader.folder)
  expect(rows.map(({ timestamp, labels }) => [timestamp, labels]).slice(-2)).toEqual([
    ['2026-10-25T00:30:00.000Z', { team: 'search' }],
    ['2026-10-30T10:00:00.000Z', undefined],
  ])
  expect(rows).toHaveLength(spendLogs.length - 1 + 2)
})

test('the worked example of docs/pricing.md costs what the page says', async () => {
  const reader = new Reader('')
  expect(await follow(reader, 'docs/pricing.md', 'How a cost comes about')).toBe(1)
  expect(await rowsIn(reader.folder)).toMatchObject([{ cost_usd: 0.02, cost_sats: 29.850746269 }])
})

test.skipIf(!isThere('python3', '--version'))(
  'the Python program of docs/clients.md logs through a pipe (needs python3)',
  async () => {
    const reader = new Reader('')
    expect(await follow(reader, 'docs/clients.md', 'Events from a program on this host')).toBe(1)
    const team = { team: 'search' }
    expect(await rowsIn(reader.folder)).toMatchObject([
      { success: true, input_tokens: 19, labels: team },
      { success: false, error_status: 429 },
      { success: true, streaming: true, latency_ms: 310, output_tokens: 10, stream_duration_ms: 6491 },
    ])
  },
)
