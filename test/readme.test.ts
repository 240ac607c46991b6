import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command, Option } from 'commander'
import { expect, test } from 'vitest'
import { createProgram } from '../src/cli/program.js'
import { ProgramCommand } from '../src/cli/run/command.js'
import { runHere } from './support/command.js'
import { PAGES, readPage } from './support/pages.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const path = join(root, 'docs/commands.md')
const BEGIN = /<!-- commands: .* -->\n/
const END = '<!-- end of commands -->'

/** A command, or each of those below it, with its words: `prices import`. */
const commands = (await createProgram()).commands.flatMap((command) => withNames(command))

function withNames(command: Command, before: string[] = []): { name: string; command: Command }[] {
  const words = [...before, command.name()]
  const below = command.commands.flatMap((other) => withNames(other, words))
  return [{ name: words.join(' '), command }, ...below]
}

function optionRow(option: Option): string {
  const choices = option.argChoices === undefined ? '' : `: ${option.argChoices.join(', ')}`
  const value = String(option.defaultValueDescription ?? option.defaultValue).replaceAll('"', '')
  const standard = option.defaultValue === undefined ? '' : `\`${value}\``
  const environment = option.envVar === undefined ? '' : `\`${option.envVar}\``
  return `| \`${option.flags}\` | ${option.description}${choices} | ${standard} | ${environment} |`
}

/** The rows of the options that choose requests. Several commands have all of them, and link to where they stand once. */
const filterRows = new ProgramCommand().filterOptions().options.map(optionRow)
const FILTER_HEADING = 'Options that choose requests'
const FILTER_LINK = `| [those that choose requests](#${FILTER_HEADING.toLowerCase().replaceAll(' ', '-')}) | which requests it is about, in which zone and currency |  |  |`

const tableOf = (rows: string[]) =>
  rows.length === 0
    ? ''
    : `${['| option | | default | environment |', '|---|---|---|---|', ...rows].join('\n')}\n\n`

function section({ name, command }: { name: string; command: Command }): string {
  const rows = command.options.map(optionRow)
  const hasAll = filterRows.every((row) => rows.includes(row))
  const own = hasAll ? rows.filter((row) => row === filterRows[0] || !filterRows.includes(row)) : rows
  const table = tableOf(own.map((row) => (hasAll && row === filterRows[0] ? FILTER_LINK : row)))
  return `## request-journal ${name}\n\n${command.description()}\n\n${table}`
}

/** The shared options, with the commands that have them. */
function filterSection(): string {
  const named = commands.filter((one) => section(one).includes(FILTER_LINK)).map(({ name }) => `\`${name}\``)
  const last = named.pop()
  return `## ${FILTER_HEADING}\n\n${named.join(', ')} and ${last} have these.\n\n${tableOf(filterRows)}`
}

test('docs/commands.md has every command and option, in the words of --help', () => {
  const page = readFileSync(path, 'utf8')
  const begin = BEGIN.exec(page)
  if (begin === null) throw new Error('docs/commands.md has lost the mark of its commands')
  const from = begin.index + begin[0].length
  const expected = `\n${commands.map(section).join('')}${filterSection()}`
  if (process.env['UPDATE_README'] === '1') {
    writeFileSync(path, page.slice(0, from) + expected + page.slice(page.indexOf(END)))
    return
  }
  const found = page.slice(from, page.indexOf(END))
  expect(found, 'run UPDATE_README=1 npx vitest run test/readme.test.ts').toBe(expected)
})

test.each(commands)('$name --help shows what docs/commands.md says', async ({ name, command }) => {
  const help = (await runHere([...name.split(' '), '--help'])).stdout.replace(/\s+/g, ' ')
  expect(help).toContain(command.description())
  for (const option of command.options) expect(help).toContain(option.description)
})

/** The code of a page: the lines of its blocks, with those that go on joined, and each `text` within a sentence. */
function codeOf(page: string): string[] {
  const text = readPage(page).replace(/\\\n/g, ' ')
  const blocks = [...text.matchAll(/^ *```.*?\n(.*?)^ *```/gms)].flatMap(([, block = '']) =>
    block.split('\n'),
  )
  const prose = text.replace(/^ *```.*?^ *```/gms, '')
  return [...blocks, ...[...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)]
}

/** Calls of the program in a line of code: the words after its name, up to where another command begins. */
function callsIn(code: string): string[] {
  const calls = code.matchAll(
    /(?:^|npx |[|;&("'] ?)\s*(?:request-journal|node \S+cli\/main\.js) +([\w<-][^|;&#)'"`]*)/g,
  )
  const bare = commands.some(({ name }) => code.startsWith(`${name} --`)) ? [code] : []
  return [...bare, ...[...calls].map(([, words = '']) => words)]
}

/** What a call names that the program hasn't got. */
function unknownIn(call: string): string[] {
  if (/^(--help|--version|help\b|<|[A-Z])/.test(call)) return []
  const words = call.trim().split(/\s+/)
  const names = [words.slice(0, 2).join(' '), words[0]]
  const [called] = names.flatMap((name) => commands.filter((command) => command.name === name))
  if (called === undefined) return [call]
  const options = called.command.options.map(({ long }) => long)
  return words
    .map((word) => word.replace(/=.*/, ''))
    .filter((word) => /^--\w/.test(word) && word !== '--help' && !options.includes(word))
    .map((word) => `${called.name} ${word}`)
}

test.each(PAGES)('every command, option and variable that %s names exists', (page) => {
  const code = codeOf(page)
  expect(code.flatMap(callsIn).flatMap(unknownIn)).toEqual([])
  // The token is a secret: it has a variable and a file, and no option that process lists would show.
  const options = commands.flatMap(({ command }) => command.options.map(({ envVar }) => envVar))
  const variables = ['REQUEST_JOURNAL_TOKEN', ...options]
  const named = code.flatMap((line) => line.match(/\bREQUEST_JOURNAL_[A-Z_]+\b/g) ?? [])
  expect(named.filter((name) => !variables.includes(name))).toEqual([])
})

test.each([...PAGES, 'writer/README.md'])(
  'every npm script, folder and file of tests that %s names exists',
  (page) => {
    const code = codeOf(page).join('\n')
    const scripts = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts)
    const called = [...code.matchAll(/\bnpm run (?:--silent )?([\w:]+)/g)].map(([, script = '']) => script)
    expect(called.filter((script) => !scripts.includes(script))).toEqual([])
    const paths = (code.match(/\b(?:test|src)\/[\w./-]+/g) ?? []).map((path) => path.replace(/[.,]$/, ''))
    // A name in capitals stands for the reader's own.
    const missing = paths.filter((path) => !/\/[A-Z]+\b/.test(path) && !existsSync(join(root, path)))
    expect(missing).toEqual([])
  },
)

test('a command, an option or a variable that is missing is found where a page names it', () => {
  const line = 'npx request-journal stats --group-by model --grup model && request-journal prices imprt x.csv'
  expect(callsIn(line).flatMap(unknownIn)).toEqual(['stats --grup'])
  expect(callsIn('request-journal statz | less').flatMap(unknownIn)).toEqual(['statz '])
  expect(callsIn('archive --dry').flatMap(unknownIn)).toEqual(['archive --dry'])
})

test('.ci/run runs exactly the test command of the README', () => {
  const script = readFileSync(join(root, '.ci/run'), 'utf8')
  expect(script.trimEnd().split('\n').at(-1)).toBe('npm ci && npm test')
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain('npm ci && npm test')
})
