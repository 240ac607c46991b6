import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { refuseOldNode } from '../../src/cli/run/old-node.js'
import { runHere } from '../support/command.js'
import { PROGRAM, run } from '../support/program.js'

const COMMANDS = [
  'init',
  'append',
  'project',
  'replay',
  'verify',
  'doctor',
  'status',
  'rejected',
  'stats',
  'requests',
  'show',
  'export',
  'serve',
  'archive',
  'prune',
  'demo',
]

const WRONG: [string, string[], RegExp][] = [
  ['unknown command', ['frobnicate'], /unknown command 'frobnicate'/],
  ['unknown option', ['append', '--jornal', 'x'], /unknown option '--jornal'/],
  ['an option of another command', ['rejected', '--journal', 'x'], /unknown option '--journal'/],
  ['missing value', ['status', '--db'], /'--db <file>' argument missing/],
  ['an option taken for a value', ['status', '--db', '--json'], /'--db <file>' argument '--json' is invalid/],
  ['empty value', ['status', '--db='], /'--db <file>' argument '' is invalid/],
  ['unexpected argument', ['stats', 'gpt-4o'], /too many arguments for 'stats'/],
  ['page 0', ['requests', '--page', '0'], /'--page <n>' argument '0' is invalid\. Expected .* from 1/],
  ['a page that is no number', ['requests', '--page', '1e3'], /'--page <n>' argument '1e3'/],
  ['per page 101', ['requests', '--per-page', '101'], /'--per-page <n>' argument '101'.* from 1 to 100/],
  ['limit 0', ['rejected', '--limit', '0'], /'--limit <n>' argument '0'/],
  [
    'a day that there is not',
    ['stats', '--since', '2026-02-30'],
    /'--since <time>' argument '2026-02-30'.*Expected a date, a time/,
  ],
  ['a group that is none', ['stats', '--group-by', 'colour'], /'--group-by <what>' argument 'colour'/],
  ['a label without a name', ['stats', '--label', '=x'], /'--label <name=value>' argument '=x'.*name=value/],
  [
    'a label twice',
    ['stats', '--label', 'a=1', '--label', 'a=2'],
    /'--label <name=value>'.*'a' was given already/,
  ],
  [
    'an alias of the list twice',
    ['prices', 'import', '--from', 'csv', 'x.csv', '--alias', 'a=b', '--alias', 'a=c'],
    /'--alias <model=listed>'.*'a' was given already/,
  ],
  [
    'a provider of the list twice',
    ['prices', 'import', '--from', 'csv', 'x.csv', '--provider', 'a', '--provider', 'a=c'],
    /'--provider <name\[=yours\]>'.*'a' was given already/,
  ],
  [
    'an alias of the bill twice',
    ['reconcile', '--bill', 'x.csv', '--alias', 'a=b', '--alias', 'a=c'],
    /'--alias <billed=logged>'.*'a' was given already/,
  ],
  [
    'a header of a label twice',
    ['proxy', '--upstream', 'http://a.example', '--label-header', 'x-a=b', '--label-header', 'X-A=c'],
    /'--label-header <header=name>'.*'x-a' was given already/,
  ],
  [
    'an option twice that counts once',
    ['stats', '--group-by', 'label:team', '--group-by', 'model'],
    /'--group-by <what>' was given more than once/,
  ],
  ['a range that is none', ['stats', '--range', 'LAST_1H'], /'--range <range>' argument 'LAST_1H'/],
  [
    'two beginnings',
    ['stats', '--range', 'last_1h', '--since', '2026-11-22T00:00:00Z'],
    /'--range <range>' cannot be used with option '--since <time>'/,
  ],
  [
    'two outcomes',
    ['requests', '--failed', '--success', 'true'],
    /'--failed' cannot be used with .*'--success/,
  ],
  [
    'two ways to page',
    ['requests', '--cursor', 'start', '--page', '2'],
    /'--cursor <cursor>' cannot .*'--page/,
  ],
  ['a page of a tail', ['requests', '--follow', '--page', '2'], /'--follow' cannot be used with .*'--page/],
  ['a format that is none', ['export', '--format', 'xml'], /'--format <format>' argument 'xml'/],
  ['unknown log level', ['project', '--log-level', 'loud'], /'--log-level <level>' argument 'loud'/],
  [
    'control characters, which show as escapes',
    ['stats', '--range', 'a\u{1b}[31mb\u{202e}'],
    /argument 'a\\x1b\[31mb\\u202e' is invalid/,
  ],
  ['--json of a daemon', ['project', '--json'], /'--json' needs '--once'/],
]

test.for(WRONG)('wrong use, exit 2: %s', async ([, args, message]) => {
  const { status, stdout, stderr } = await runHere(args)
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toMatch(message)
  expect(stderr).not.toContain('    at ')
})

test.for([
  ['REQUEST_JOURNAL_DIR', '', ['append']],
  ['REQUEST_JOURNAL_DB', '', ['stats']],
  ['REQUEST_JOURNAL_LOG_LEVEL', 'loud', ['project', '--once']],
] as const)('a wrong value in %s is an error that names it, exit 2', async ([name, value, args]) => {
  const { status, stderr } = await runHere([...args], { [name]: value })
  expect(status).toBe(2)
  expect(stderr).toContain(name)
})

test('options override the environment, and that overrides the defaults', () => {
  const environment = { REQUEST_JOURNAL_DB: '/nowhere/environment.db' }
  expect(runWith({}, ['stats']).stderr).toContain('/requests.db: there is no such database')
  expect(runWith(environment, ['stats']).stderr).toContain('/nowhere/environment.db')
  const { status, stderr } = runWith(environment, ['stats', '--db', '/nowhere/option.db'])
  expect(status).toBe(1)
  expect(stderr).toMatch(/^error: \/nowhere\/option\.db: there is no such database: .*\n$/)
})

test('no command: help on stderr, exit 2', () => {
  const { status, stdout, stderr } = run([])
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  for (const command of COMMANDS) expect(stderr).toMatch(new RegExp(`^  ${command} `, 'm'))
})

test('--version is that of package.json, with that of SQLite', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(run(['--version'])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(new RegExp(`^${version} \\(SQLite 3\\.\\d+\\.\\d+\\)\n$`)),
  })
})

describe.each(COMMANDS)('%s --help', (command) => {
  test('exits 0, has an example and names defaults and environment', async () => {
    const { status, stdout, stderr } = await runHere([command, '--help'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/Examples?:\n {2}\$ (.* \\\n +\| )?.*request-journal /)
    const text = stdout.replace(/\s+/g, ' ')
    if (text.includes('--journal <dir>'))
      expect(text).toContain('(default: "./journal", env: REQUEST_JOURNAL_DIR)')
    if (text.includes('--db <file>'))
      expect(text).toContain('(default: "./requests.db", env: REQUEST_JOURNAL_DB)')
  })
})

function runWith(environment: Record<string, string>, args: string[]) {
  return spawnSync(process.execPath, [PROGRAM, ...args], {
    encoding: 'utf8',
    input: '',
    cwd: '/',
    env: { ...process.env, ...environment },
  })
}

test.each([
  [
    '--journal',
    ['verify', '--journal', 'no-such/journal', '--db', '/nowhere/k.db'],
    resolve('no-such/journal'),
  ],
  ['--db', ['stats', '--db', 'no-such.db'], resolve('no-such.db')],
  ['--db of serve', ['serve', '--port', '0', '--db', 'test', '--journal', '/nowhere'], resolve('test')],
])('%s: a message names the whole path, whatever was typed', async (_option, args, path) => {
  const { status, stderr } = await runHere(args)
  expect(status).toBe(1)
  expect(stderr).toContain(path)
})

test('a Node.js older than package.json asks for is refused, and told which one is needed', () => {
  const { engines } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'))
  const oldest = engines.node.replace('>=', '')
  for (const version of ['18.20.4', '20.18.3']) {
    expect(() => refuseOldNode(version)).toThrow(
      `this is Node.js ${version}, and request-journal needs ${oldest} `,
    )
  }
  for (const version of [`${oldest}.0`, '22.0.0', process.versions.node]) refuseOldNode(version)
})
