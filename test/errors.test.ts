import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ERROR_CODES } from '../src/errors.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, text: readFileSync(join(source, file), 'utf8') }))

/** Without the lists of all codes. */
const outsideLists = files.map(({ text }) => text.replaceAll(/^export const \w+_CODES = \[[^\]]*\]/gm, ''))

const sections = readFileSync(join(root, 'docs/errors.md'), 'utf8').split(/^## /m)

/** The rows of a class's table: the code, and its other cells. */
function documented(name: string): { code: string; cells: string[] }[] {
  const section = sections.find((text) => text.startsWith(`${name}\n`)) ?? ''
  return [...section.matchAll(/^\| `([A-Z_]+)` \|(.*)\|$/gm)].map(([, code = '', rest = '']) => ({
    code,
    cells: rest.split('|').map((cell) => cell.trim()),
  }))
}

describe.each(Object.entries(ERROR_CODES))('%s', (name, codes: readonly string[]) => {
  test('docs/errors.md lists exactly its codes', () => {
    expect(documented(name).map(({ code }) => code)).toEqual([...codes])
  })

  test('each code has what it is thrown for and what to do', () => {
    for (const { code, cells } of documented(name)) {
      expect(cells, code).toEqual([
        expect.stringMatching(/\w/),
        expect.anything(),
        expect.stringMatching(/\w/),
      ])
    }
  })

  test.each(codes)('%s is given somewhere', (code) => {
    expect(
      outsideLists.some((text) => text.includes(`'${code}'`)),
      code,
    ).toBe(true)
  })
})

test('every error class with a code of ours is exported with the others', () => {
  const classes = files.flatMap(({ text }) =>
    text
      .split(/^(?=export class )/m)
      // A class that carries the file system's code has none of ours.
      .filter((part) =>
        /^export class .* extends (PathError|Error {[^}]*^ {2}readonly code(?!: string)\b)/ms.test(part),
      )
      .map((part) => /^export class (\w+)/.exec(part)?.[1]),
  )
  expect(classes.toSorted()).toEqual(Object.keys(ERROR_CODES).toSorted())
})
