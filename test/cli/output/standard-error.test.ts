import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect } from 'vitest'
import { BoundedOutput } from '../../../src/cli/output/bounded-output.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { end, PROGRAM } from '../../support/program.js'
import { test, type Workspace } from '../../support/workspace.js'

/** Lines that can't be projected: each look that finds some is a line of the log. */
const REJECTED = 'not json\n'

const descriptors: number[] = []
afterEach(() => {
  for (const fd of descriptors.splice(0)) closeSync(fd)
})

function places({ journal, database }: Workspace): string[] {
  return ['--journal', journal, '--db', database]
}

function opened(path: string, flags: number): number {
  const fd = openSync(path, flags)
  descriptors.push(fd)
  return fd
}

/** A pipe, and its end that nobody reads until a test does. */
function unreadPipe(workspace: Workspace): { writeEnd: number; readEnd: number } {
  const path = join(workspace.directory, 'stderr')
  execFileSync('mkfifo', [path])
  const readEnd = opened(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { readEnd, writeEnd: opened(path, constants.O_WRONLY) }
}

/** What is in a pipe now. */
function readAll(fd: number): string {
  const buffer = Buffer.alloc(1024 * 1024)
  let text = ''
  for (;;) {
    try {
      const length = readSync(fd, buffer)
      if (length === 0) return text
      text += buffer.toString('latin1', 0, length)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return text
      throw error
    }
  }
}

/** The command with its log at a descriptor, once it has printed where it is; 'pipe' is a socket. */
async function serveInto(stderr: number | 'pipe', workspace: Workspace) {
  const args = ['serve', '--project', '--port', '0', '--log-level', 'debug', ...places(workspace)]
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', stderr] })
  if (child.stdout === null) throw new Error('stdout is piped')
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, url }
}

/** Makes far more lines of the log than a pipe and the program keep: each answer is one. */
async function flood(url: string): Promise<void> {
  const path = `/${'x'.repeat(15_000)}`
  for (let i = 0; i < 11; i++) {
    await Promise.all(Array.from({ length: 4 }, async () => await (await fetch(url + path)).text()))
  }
}

describe('a log that is on a full disk', () => {
  test('keeps neither rows from being projected nor the command from succeeding', ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')) + REJECTED)
    const stderr = opened('/dev/full', constants.O_WRONLY)
    const args = [PROGRAM, 'project', '--once', '--log-level', 'debug', ...places(workspace)]
    const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', stderr] })
    expect(status).toBe(0)
    expect(workspace.query('SELECT correlation_id FROM requests')).toEqual([{ correlation_id: 'a' }])
  })

  test('stops no server, which ends by SIGTERM, also where its URL can not be printed', async ({
    workspace,
  }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    const full = opened('/dev/full', constants.O_WRONLY)
    const { child, url } = await serveInto(full, workspace)
    expect((await fetch(`${url}/v1/stats`)).status).toBe(200)
    expect((await fetch(`${url}/v1/stats`)).status).toBe(200)
    expect(await end(child)).toBe(0)
    const args = [PROGRAM, 'serve', '--port', '0', ...places(workspace)]
    const mute = spawn(process.execPath, args, { stdio: ['ignore', full, 'pipe'] })
    await once(mute.stderr ?? mute, 'data')
    expect(await end(mute)).toBe(0)
  })
})

describe('a log that nobody reads', () => {
  test('stalls neither projector nor server; SIGTERM ends them, and what is missing is counted', async ({
    workspace,
  }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    const { writeEnd, readEnd } = unreadPipe(workspace)
    const { child, url } = await serveInto(writeEnd, workspace)
    await flood(url)
    appendFileSync(join(workspace.journal, workspace.segments()[0] ?? ''), lines(requestLine('b')))
    await expect.poll(() => workspace.query('SELECT id FROM requests').length).toBe(2)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)

    const read = [readAll(readEnd)]
    await expect
      .poll(() => {
        read.push(readAll(readEnd))
        return read.join('')
      })
      .toContain("Lines of this log are missing: stderr didn't take them")
    const logged = read.join('').trimEnd().split('\n')
    const parsed = logged.map((line) => JSON.parse(line))
    expect(parsed.find(({ dropped }) => dropped > 0)).toMatchObject({ level: 40 })

    await flood(url)
    expect(await end(child)).toBe(0)
  })

  test('stalls no server either where it is a socket', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    const { child, url } = await serveInto('pipe', workspace)
    await flood(url)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect(await end(child)).toBe(0)
  })

  test("doesn't keep a process from ending by itself", ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    const { writeEnd } = unreadPipe(workspace)
    const script = `head -c 70000 /dev/zero >&2 & exec "$0" "$@"`
    const args = ['-c', script, process.execPath, PROGRAM, 'project', '--once', ...places(workspace)]
    const { status } = spawnSync('sh', args, { stdio: ['ignore', 'ignore', writeEnd] })
    expect(status).toBe(0)
  })
})

describe('an output', () => {
  const eagain = Object.assign(new Error('full'), { code: 'EAGAIN' })

  function outputWith(takes: (bytes: Buffer) => number) {
    let text = ''
    const output = new BoundedOutput(() => ({
      write: (bytes) => {
        const taken = takes(bytes)
        text += bytes.toString('latin1', 0, taken)
        return taken
      },
    }))
    output.describeLoss = (count) => `lost ${count}\n`
    return { output, text: () => text }
  }

  test('counts what is refused, and says so before the first text that is taken again', () => {
    let isFull = true
    const { output, text } = outputWith(({ length }) => {
      if (isFull) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      return length
    })
    for (let i = 0; i < 5; i++) output.write('a\n')
    isFull = false
    output.write('b\n')
    expect(text()).toBe('lost 5\nb\n')
  })

  test('keeps whole what is taken in parts, within its bound', () => {
    let room = 3
    const { output, text } = outputWith(({ length }) => {
      const taken = Math.min(room, length)
      if (taken === 0) throw eagain
      room -= taken
      return taken
    })
    const line = `${'x'.repeat(1023)}\n`
    for (let i = 0; i < 1000; i++) output.write(line)
    room = Number.POSITIVE_INFINITY
    output.write('end\n')
    const kept = text().split('\n')
    const lost = Number(kept.find((found) => found.startsWith('lost'))?.split(' ')[1])
    expect(kept.filter((found) => found.length === 1023).length + lost).toBe(1001)
    expect(lost).toBeGreaterThan(700)
  })

  test('begins a new line after one of which only a part was taken', () => {
    const answers = [3, new Error('gone'), 100, 100]
    const { output, text } = outputWith(({ length }) => {
      const answer = answers.shift() ?? 100
      if (typeof answer !== 'number') throw answer
      return Math.min(answer, length)
    })
    output.write('abcdef\n')
    output.write('next\n')
    expect(text()).toBe('abc\nlost 1\nnext\n')
  })
})
