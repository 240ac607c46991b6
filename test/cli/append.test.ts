import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { runHere } from '../support/command.js'
import { checkedLine } from '../support/lines.js'
import { changedTimeout, end, PROGRAM, run, start } from '../support/program.js'
import { test, type Workspace } from '../support/workspace.js'

const GOOD = '{"model":"m","latency_ms":1,"success":true}'

function linesOf({ journal, segments }: Workspace): string[] {
  return segments().flatMap((name) => readFileSync(join(journal, name), 'utf8').trimEnd().split('\n'))
}

test('a bad line is named by number and reason, the rest is appended', ({ workspace }) => {
  const input = [
    GOOD,
    '',
    'not \x1b[2Jjson',
    checkedLine({ model: 'm', latency_ms: 1, success: true }).replace('"m"', '"n"'),
    '{"model":"m"}',
    '{"type":"weird"}',
    '[]',
    '   ',
    GOOD,
  ].join('\n')
  const { status, stdout, stderr, json } = run(['append', '--journal', workspace.journal, '--json'], {
    input,
  })
  expect(status).toBe(1)
  expect(stdout.split('\n')).toHaveLength(2)
  expect(json).toEqual({ appended: 2, refused: 5, journal_id: expect.any(String) })
  const named = stderr.trimEnd().split('\n')
  expect(named).toHaveLength(5)
  expect(named[0]).toMatch(/^line 3: Unexpected token/)
  expect(named[1]).toMatch(/^line 4: crc32 says \w+, the bytes give/)
  expect(named[2]).toMatch(/^line 5: .*latency_ms: found nothing/)
  expect(named[3]).toMatch(/^line 6: .*found "weird"/)
  expect(named[4]).toMatch(/^line 7: the line is JSON, but not an object/)
  expect(stderr).not.toContain('\x1b')
  expect(linesOf(workspace)).toHaveLength(2)
})

test('a checksum of the input is checked and replaced by a new one, unknown members are kept', async ({
  workspace,
}) => {
  const input = checkedLine({ model: 'm', latency_ms: 1, success: true, from_tomorrow: { a: [1] } })
  const { status, stdout } = await runHere(['append', '--journal', workspace.journal], {}, input)
  expect(status).toBe(0)
  expect(stdout).toBe(`1 event appended to ${workspace.journal}, 0 refused\n`)
  const [line = ''] = linesOf(workspace)
  expect(line.match(/crc32/g)).toHaveLength(1)
  expect(JSON.parse(line)).toMatchObject({ model: 'm', from_tomorrow: { a: [1] } })
})

test('names twenty bad lines and counts the others', async ({ workspace }) => {
  const { stderr, json } = await runHere(
    ['append', '--journal', workspace.journal, '--json'],
    {},
    'x\n'.repeat(1025),
  )
  expect(stderr.trimEnd().split('\n')).toHaveLength(21)
  expect(stderr).toMatch(/… and 1,005 more lines refused\n$/)
  expect(json).toMatchObject({ appended: 0, refused: 1025 })
})

test('a line over 1 MiB is refused, and the lines after it are appended', async ({ workspace }) => {
  const input = `{"model":"${'x'.repeat(3_000_000)}"}\n${GOOD}\n`
  const { status, stderr, json } = await runHere(
    ['append', '--journal', workspace.journal, '--json'],
    {},
    input,
  )
  expect(status).toBe(1)
  expect(stderr).toMatch(/^line 1: 3,000,013 bytes, at most 1,048,576 are allowed\n$/)
  expect(json).toMatchObject({ appended: 1, refused: 1 })
})

test('a blank line over 1 MiB is skipped as a short one is', async ({ workspace }) => {
  const input = `${' '.repeat(3_000_000)}\n${GOOD}\n`
  const { status, stderr, json } = await runHere(
    ['append', '--journal', workspace.journal, '--json'],
    {},
    input,
  )
  expect({ status, stderr, ...json }).toMatchObject({ status: 0, stderr: '', appended: 1, refused: 0 })
})

test('no input is no error', async ({ workspace }) => {
  expect(await runHere(['append', '--journal', workspace.journal, '--json'], {}, '')).toMatchObject({
    status: 0,
    json: { appended: 0, refused: 0 },
  })
})

test('each event is in the journal as soon as its line has come', async ({ workspace }) => {
  const child = start(['append', '--journal', workspace.journal])
  child.stdin?.write(`${GOOD}\n${GOOD.slice(0, 10)}`)
  await expect.poll(() => countLines(workspace), { timeout: 10_000, interval: 10 }).toBe(1)
  expect(child.exitCode).toBeNull()
  child.stdin?.end(GOOD.slice(10))
  await new Promise((resolve) => child.once('exit', resolve))
  expect(countLines(workspace)).toBe(2)
})

test('a disk that refuses: says at which line, and stops', async ({ workspace }) => {
  // EFBIG stands for a full disk: the limit is in units of 512 bytes.
  const { journal } = workspace
  const command = spawn('sh', [
    '-c',
    'ulimit -f 2; exec "$0" "$1" append --journal "$2" --json',
    process.execPath,
    PROGRAM,
    journal,
  ])
  let output = ''
  let errors = ''
  command.stdout.on('data', (chunk) => (output += chunk))
  command.stderr.on('data', (chunk) => (errors += chunk))
  command.stdin.end(`${GOOD}\n`.repeat(50))
  const status = await new Promise((resolve) => command.once('close', resolve))
  expect(status).toBe(1)
  const { appended } = JSON.parse(output) as { appended: number }
  expect(appended).toBeGreaterThan(0)
  expect(appended).toBeLessThan(10)
  expect(errors).toMatch(new RegExp(`^line ${appended + 1}: Failed to write to .*EFBIG`))
  expect(errors).not.toContain('    at ')
})

test('a journal that can’t be created is one paragraph on stderr', async () => {
  const { status, stdout, stderr } = await runHere(['append', '--journal', '/dev/null/journal'], {}, GOOD)
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toMatch(/^error: .*\/dev\/null\/journal/)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})

test('loads neither better-sqlite3 nor chokidar, and --help not even the journal', ({ workspace }) => {
  const append = modulesOf(['append', '--journal', workspace.journal])
  expect(append).toContain('dist/journal/append/journal.js')
  expect(append).not.toMatch(/better-sqlite3|chokidar|pino/)
  const help = modulesOf(['--help'])
  expect(help).toContain('dist/cli/program.js')
  expect(help).not.toMatch(
    /better-sqlite3|chokidar|pino|typebox|modules\/pg|dist\/journal|dist\/store\/sqlite\/(connection|schema)/,
  )
})

/** Every module that a run resolves, ESM and CommonJS alike. */
function modulesOf(args: string[]): string {
  const hooks = `data:text/javascript,${encodeURIComponent(`
    export async function resolve(specifier, context, next) {
      const result = await next(specifier, context)
      process._rawDebug('resolved ' + result.url)
      return result
    }`)}`
  const register = `data:text/javascript,${encodeURIComponent(
    `import { register } from 'node:module'; register(${JSON.stringify(hooks)})`,
  )}`
  const { status, stderr } = spawnSync(process.execPath, ['--import', register, PROGRAM, ...args], {
    input: GOOD,
    encoding: 'utf8',
  })
  expect(status).toBe(0)
  return stderr
}

function countLines({ journal }: Workspace): number {
  return Number(
    execFileSync('sh', ['-c', 'cat "$0"/*.ndjson 2>/dev/null | wc -l', journal], { encoding: 'utf8' }),
  )
}

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} reads what the pipe holds, syncs and answers`, async ({ workspace }) => {
    // What it takes for silence is as long as it reads on at most: this process may get no
    // processor for a while.
    const args = ['append', '--journal', workspace.journal, '--json']
    const child = start(args, changedTimeout(100, 1000))
    const { stdin, stdout } = child
    if (stdin === null || stdout === null) throw new Error('piped')
    let answer = ''
    stdout.on('data', (chunk) => {
      answer += chunk
    })
    stdin.write(`${GOOD}\n${GOOD}\n${GOOD.slice(0, 10)}`)
    while (!existsSync(workspace.journal) || linesOf(workspace).length < 2) await sleep(5)
    // More than the 2 MiB that libuv reads before it looks at signals.
    const large = `${GOOD.slice(0, -1)},"note":"${'x'.repeat(60_000)}"}`
    child.kill('SIGSTOP')
    stdin.write(`${GOOD.slice(10)}\n${`${large}\n`.repeat(100)}${GOOD.slice(0, 10)}`)
    child.kill(signal)
    expect(await end(child, 'SIGCONT')).toBe(expected)
    expect(JSON.parse(answer)).toMatchObject({ appended: 103, refused: 0 })
  })
}
