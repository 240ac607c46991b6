import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import * as answers from '../clients/upstream/answers.js'
import { runHere } from '../support/command.js'
import { codeBlocks } from '../support/pages.js'
import { PROGRAM } from '../support/program.js'
import { linesOf, linkPackages, start, workingFolder } from './support.js'

/** A reader who follows a page in an empty folder, in which the package is installed. */
export class Reader {
  readonly folder = workingFolder()
  /** What stands on the page, and what it is here. */
  readonly #names = new Map<string, string>()
  readonly #environment: Record<string, string>
  /** `export` lines of the blocks so far: a block has a shell of its own here, a reader has one for all. */
  #exports = ''
  /** What they set; null once a shell is needed to tell. */
  #exported: Record<string, string> | null = {}

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

  /** Runs the commands of a block, which must succeed, and returns what they print. */
  async run(text: string): Promise<string> {
    const here = this.#here(text)
    const outcomes: string[] = []
    for (const part of this.#exported === null ? [here] : partsOf(here)) {
      outcomes.push(typeof part === 'string' ? await this.#shell(part) : await this.command(part))
    }
    return outcomes.join('')
  }

  async #shell(text: string): Promise<string> {
    const script = `set -e\n${this.#exports}${text}`
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
    for (const line of text.match(/^export .*\n/gm) ?? []) {
      this.#exports += line
      const values = wordsOf(line.slice('export '.length))
      this.#exported = values && this.#exported && { ...this.#exported, ...variablesOf(values) }
    }
    return outputs.stdout
  }

  /** Runs a command in the folder, in this process. */
  async command(args: string[], input = ''): Promise<string> {
    const before = process.cwd()
    process.chdir(this.folder)
    try {
      const { status, stdout, stderr } = await runHere(
        args,
        { ...this.#environment, ...this.#exported },
        input,
      )
      expect(status, `${args.join(' ')}\n${stdout}${stderr}`).toBe(0)
      return stdout
    } finally {
      process.chdir(before)
    }
  }

  #here(text: string): string {
    return [...this.#names].reduce((result, [name, here]) => result.replaceAll(name, here), text)
  }
}

/** What goes on until a signal comes, or reads what the shell gives it. */
const NEEDS_PROCESS = /^(append|demo|proxy|serve|ship)$|^--follow$/

/**
 * What changes the shell itself, for the commands that follow; and a text that may look like
 * commands.
 */
const CHANGES_SHELL = /^\s*(?:cd|set)\b|^\s*\w+=\S*\s*$|<</m

/**
 * The commands of a block one after the other: scripts for a shell, and the arguments of commands
 * of the program, for which a shell would do nothing but split them into words. They run in this
 * process: its own takes a quarter of a second to start.
 */
function partsOf(text: string): (string | string[])[] {
  if (CHANGES_SHELL.test(text)) return [text]
  const parts: (string | string[])[] = []
  let script = ''
  for (const line of text.split('\n')) {
    if (script === '' && (line.trim() === '' || line.startsWith('#'))) continue
    const args = plainCommand(line)
    if (args === null || (script !== '' && !isWhole(script))) script += `${line}\n`
    else {
      if (script !== '') parts.push(script)
      script = ''
      parts.push(args)
    }
  }
  return script === '' ? parts : [...parts, script]
}

/** Whether a script ends where a command does. */
const isWhole = (script: string) =>
  !script.endsWith('\\\n') && spawnSync('sh', ['-n', '-c', script]).status === 0

function plainCommand(line: string): string[] | null {
  const [, rest = ''] = /^(?:npx )?request-journal (.*)$/.exec(line) ?? []
  const args = wordsOf(rest)
  if (args === null || args.length === 0 || args.some((word) => NEEDS_PROCESS.test(word))) return null
  return args[0] !== 'project' || args.includes('--once') ? args : null
}

/** The words of a line, before its comment; null if a shell would do more than split it. */
function wordsOf(line: string): string[] | null {
  // One character at a time, so that no line takes long to be refused.
  const [, text] = /^((?:[\w.,:=/@%+ -]|'[^']*'|"[^"$`\\!]*")*)(?:(?<= )#.*)?$/.exec(line.trimEnd()) ?? []
  if (text === undefined) return null
  return [...text.matchAll(/(?:[^ '"]|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  )
}

const variablesOf = (words: string[]) =>
  Object.fromEntries(words.map((word) => [word.split('=')[0], word.slice(word.indexOf('=') + 1)]))

/** What is printed, without what differs from one run to the next: numbers, and the width of columns. */
export const shapeOf = (text: string) =>
  text
    .trim()
    .replace(/\d[\d.,:-]*/g, '0')
    .replace(/\s+/g, ' ')

export const isThere = (program: string, argument: string) => spawnSync(program, [argument]).status === 0
const hasSqlite = isThere('sqlite3', '-version')

/**
 * Runs the blocks of a page in their order, and compares what they print with the `text` that follows. Blocks that are
 * marked `network` or `checkout` are for `test:package`: here their commands are only held to `--help`, by readme.test.ts.
 */
export async function follow(reader: Reader, page: string, heading?: string): Promise<number> {
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

/** A reader whose folder has a log of one request already. */
export async function readerWithLog(provider?: string): Promise<Reader> {
  const reader = new Reader('')
  const request = { model: 'gpt-4o', provider, latency_ms: 812, success: true, labels: { team: 'search' } }
  const input = `${JSON.stringify(request)}\n`
  await reader.command(['append'], input)
  await reader.command(['project', '--once'])
  return reader
}
