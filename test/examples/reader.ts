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
    const commands = this.#exports === '' ? plainCommands(this.#here(text)) : null
    if (commands !== null) {
      const outcomes: string[] = []
      for (const args of commands) outcomes.push(await this.command(args))
      return outcomes.join('')
    }
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

  /** Runs a command in the folder, in this process. */
  async command(args: string[], input = ''): Promise<string> {
    const before = process.cwd()
    process.chdir(this.folder)
    try {
      const { status, stdout, stderr } = await runHere(args, this.#environment, input)
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
 * The arguments of each command, if a block has only commands of the program, for which a shell would do nothing but split
 * them into words. They run in this process then: its own takes a quarter of a second to start.
 */
function plainCommands(text: string): string[][] | null {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const commands = lines.map((line) => {
    // One character at a time, so that no line takes long to be refused.
    const [, rest = ''] =
      /^(?:npx )?request-journal ((?:[\w.,:=/@%+ -]|'[^']*'|"[^"$`\\!]*")+)$/.exec(line) ?? []
    return [...rest.matchAll(/(?:[^ '"]|'[^']*'|"[^"]*")+/g)].map(([word]) =>
      word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'),
    )
  })
  const isPlain = (args: string[]) =>
    args.length > 0 &&
    !args.some((word) => NEEDS_PROCESS.test(word)) &&
    (args[0] !== 'project' || args.includes('--once'))
  return commands.every(isPlain) ? commands : null
}

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
