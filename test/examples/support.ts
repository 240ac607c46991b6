import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import * as answers from '../clients/upstream/answers.js'
import type { Upstream } from '../clients/upstream/upstream.js'
import { runHere } from '../support/command.js'
import { end } from '../support/program.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Lets programs in a folder import this package, as built, and the clients that it is tried with. */
export function linkPackages(folder: string): void {
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/request-journal'))
  symlinkSync(join(root, 'node_modules/openai'), join(folder, 'node_modules/openai'))
}

/** A folder to run an example in, as a user does. */
export function workingFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-example-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function start(folder: string, command: string[], environment: Record<string, string>): ChildProcess {
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
export async function output(
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

/** The first lines that a server prints. */
export async function linesOf(child: ChildProcess, count: number): Promise<string[]> {
  if (child.stdout === null) throw new Error('its output is not piped')
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (lines.length === count) break
  }
  return lines
}

/** The first line that a server prints, which is its URL. */
export async function urlOf(child: ChildProcess): Promise<string> {
  const [url = ''] = await linesOf(child, 1)
  return url
}

/** The rows of what was logged in a folder, the oldest first; each must say nothing of content or keys. */
export async function rowsIn(folder: string): Promise<Record<string, unknown>[]> {
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

export async function ask(url: string, headers: Record<string, string> = {}, question: object = {}) {
  const body = { model: 'gpt-4o', messages: [{ role: 'user', content: answers.PROMPT }], ...question }
  return await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

export function baseUrls(upstream: Upstream): Record<string, string> {
  const OPENAI_BASE_URL = `${upstream.url}/v1`
  return { OPENAI_BASE_URL, ANTHROPIC_BASE_URL: OPENAI_BASE_URL, OPENROUTER_BASE_URL: OPENAI_BASE_URL }
}
