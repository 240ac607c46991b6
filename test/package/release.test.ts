import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const CHECK = join(ROOT, '.ci/check-release.mjs')

let checkout: string
beforeAll(() => {
  checkout = mkdtempSync(join(tmpdir(), 'request-journal-release-'))
})
afterAll(() => rmSync(checkout, { recursive: true }))

/** What keeps a checkout with these headings in its changelog from being released as v1.2.3. */
function check(
  version: string,
  headings: string[],
  home = 'owner/name',
): { status: unknown; stderr: string } {
  const repository = { type: 'git', url: 'git+https://github.com/owner/name.git' }
  writeFileSync(join(checkout, 'package.json'), JSON.stringify({ version, repository }))
  const sections = headings.map((heading) => `## ${heading}\n\n### Added\n\n- Something.\n`)
  writeFileSync(join(checkout, 'CHANGELOG.md'), `# Changelog\n\n${sections.join('\n')}`)
  const { status, stderr } = spawnSync(process.execPath, [CHECK, 'v1.2.3'], {
    cwd: checkout,
    encoding: 'utf8',
    env: { ...process.env, GITHUB_REPOSITORY: home },
  })
  return { status, stderr }
}

const RELEASED = ['[Unreleased]', '[1.2.3] - 2026-11-22']

test('a tag is released if version, changelog and repository agree with it', () => {
  expect(check('1.2.3', RELEASED)).toEqual({ status: 0, stderr: '' })
})

test.each([
  [
    'another version',
    '1.2.4',
    ['[Unreleased]', '[1.2.4] - 2026-11-22'],
    undefined,
    /expected the tag 'v1.2.4'/,
  ],
  [
    'a version that the changelog lacks',
    '1.2.3',
    ['[Unreleased]', '[1.2.2] - 2026-11-01'],
    undefined,
    /goes on/,
  ],
  ['a section without a day', '1.2.3', ['[Unreleased]', '[1.2.3]'], undefined, /and the day/],
  ['no section for what comes next', '1.2.3', ['[1.2.3] - 2026-11-22'], undefined, /begins with/],
  ['another repository', '1.2.3', RELEASED, 'somebody/else', /names the repository/],
])('a tag is refused with %s', (_what, version, headings, home, expected) => {
  const { status, stderr } = check(version, headings, home)
  expect(status).toBe(1)
  expect(stderr).toMatch(expected)
})

test('the release workflow runs scripts that exist, and publishes both packages with provenance', () => {
  const { jobs } = parse(read('.github/workflows/release.yml'))
  const steps: { run?: string }[] = [...jobs.torture.steps, ...jobs.publish.steps]
  const commands = steps.flatMap(({ run }) => run ?? [])
  const scripts = commands.flatMap((command) =>
    [...command.matchAll(/npm run (\S+)/g)].map(([, name]) => name),
  )
  expect(scripts).toEqual(expect.arrayContaining(['test:torture', 'pack:writer']))
  expect(jobs.publish.needs).toBe('torture')
  expect(Object.keys(JSON.parse(read('package.json')).scripts)).toEqual(expect.arrayContaining(scripts))
  expect(commands.filter((command) => /^npm publish --provenance/.test(command))).toHaveLength(2)
  // Provenance is signed with this token.
  expect(jobs.publish.permissions).toEqual({ contents: 'read', 'id-token': 'write' })
})

test('CHANGELOG.md has the form of Keep a Changelog', () => {
  const headings = [...read('CHANGELOG.md').matchAll(/^(##+) (.*)$/gm)]
  const textsOf = (wanted: string) =>
    headings.flatMap(([, level, text = '']) => (level === wanted ? [text] : []))
  const [first, ...versions] = textsOf('##')
  expect(first).toBe('[Unreleased]')
  for (const version of versions) expect(version).toMatch(/^\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/)
  const kinds = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']
  expect(textsOf('###').filter((kind) => !kinds.includes(kind))).toEqual([])
})
