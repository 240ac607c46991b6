import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const pages = ['.', 'docs', 'journal'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
)
const read = (page: string) => readFileSync(join(root, page), 'utf8')
const withoutCode = (text: string) => text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '')

/** The anchors of a page's headings, as GitHub makes them. */
function anchors(page: string): string[] {
  const headings = read(page)
    .replace(/^```.*?^```$/gms, '')
    .matchAll(/^#+ (.*)$/gm)
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe.each(pages)('%s', (page) => {
  const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)

  test('links only to files and headings that exist', () => {
    for (const link of links.filter((target) => !/^https?:/.test(target))) {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? page : relative(root, resolve(root, dirname(page), file))
      expect(existsSync(join(root, target)), `${page} links to ${link}`).toBe(true)
      if (anchor !== undefined) expect(anchors(target), `${page} links to ${link}`).toContain(anchor)
    }
  })
})

test('the README has at most 12 kB and links to every page of docs', () => {
  expect(statSync(join(root, 'README.md')).size).toBeLessThanOrEqual(12_000)
  for (const page of pages.filter((name) => name.startsWith('docs/'))) {
    expect(read('README.md')).toContain(`](${page})`)
  }
})

/** The members of an interface, such as the options of a function. */
function members(file: string, name: string): string[] {
  const text = readFileSync(join(root, 'src', file), 'utf8')
  const body = new RegExp(`^export interface ${name} .*?\\{\\n(.*?)^\\}`, 'ms').exec(text)?.[1] ?? ''
  const found = [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, member = '']) => member)
  if (found.length === 0) throw new Error(`${file} has no interface ${name}`)
  return found
}

test.each([
  ['openJournal', members('journal/append/options.ts', 'JournalOptions')],
  ['startProjector', members('projection/options.ts', 'ProjectorOptions')],
  ['replay', members('projection/replay.ts', 'ReplayOptions')],
  [
    'The filter',
    [
      ...members('queries/window/window.ts', 'Window'),
      ...members('queries/window/filter.ts', 'RequestFilter'),
    ],
  ],
  ['stats', members('queries/sums/stats.ts', 'StatsOptions')],
  ['startServer', members('server/options.ts', 'ServerOptions')],
])('docs/library.md has every option under %s', (heading, options) => {
  const section = read('docs/library.md')
    .split(/^##+ /m)
    .find((text) => text.startsWith(`${heading}\n`))
  const rows = [...(section ?? '').matchAll(/^\| `(\w+)` \|/gm)].map(([, option]) => option)
  expect(rows.toSorted()).toEqual(options.toSorted())
})
