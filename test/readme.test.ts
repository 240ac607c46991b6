import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command, Option } from 'commander'
import { expect, test } from 'vitest'
import { createProgram } from '../src/cli/program.js'
import { runHere } from './support/command.js'

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

function section({ name, command }: { name: string; command: Command }): string {
  const rows = command.options.map(optionRow)
  const table = ['| option | | default | environment |', '|---|---|---|---|', ...rows]
  return `## request-journal ${name}\n\n${command.description()}\n\n${rows.length > 0 ? `${table.join('\n')}\n\n` : ''}`
}

test('docs/commands.md has every command and option, in the words of --help', () => {
  const page = readFileSync(path, 'utf8')
  const begin = BEGIN.exec(page)
  if (begin === null) throw new Error('docs/commands.md has lost the mark of its commands')
  const from = begin.index + begin[0].length
  const expected = `\n${commands.map(section).join('')}`
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

test('.ci/run runs exactly the test command of the README', () => {
  const script = readFileSync(join(root, '.ci/run'), 'utf8')
  expect(script.trimEnd().split('\n').at(-1)).toBe('npm ci && npm test')
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain('npm ci && npm test')
})
