import { execFileSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const manifest = JSON.parse(read('package.json'))

/** The files that `npm pack` takes, as paths from the package's root. */
let packed: Set<string>

beforeAll(async () => {
  // Asked of the part of npm that chooses them: `npm pack --dry-run` compresses them all as well,
  // which takes most of its four seconds.
  const npm = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim()
  const packlist = createRequire(realpathSync(npm))('npm-packlist')
  const tree = { path: ROOT, package: manifest, isProjectRoot: true, edgesOut: new Map() }
  packed = new Set(await packlist(tree))
})

/** Whether a file, or anything in a folder, is packed. */
function isPacked(path: string): boolean {
  const folder = path.endsWith('/') ? path : `${path}/`
  return packed.has(path) || [...packed].some((file) => file.startsWith(folder))
}

test('every page in the package links only to files that are in it too', () => {
  const pages = [...packed].filter((file) => file.endsWith('.md'))
  expect(pages).toContain('docs/architecture.md')
  const broken = pages.flatMap((page) => {
    const text = read(page)
      .replace(/^```.*?^```$/gms, '')
      .replace(/`[^`\n]*`/g, '')
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link.replace(/#.*/, ''))
    const files = links.filter((link) => link !== '' && !/^\w+:/.test(link))
    return files
      .filter((link) => !isPacked(normalize(join(dirname(page), link))))
      .map((link) => `${page}: ${link}`)
  })
  expect(broken).toEqual([])
})

test('every entry, its types, the command and the files that run of themselves are in the package', () => {
  const entries = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry as Record<string, string>),
  )
  const workers = manifest.sideEffects.filter((pattern: string) => !pattern.includes('*'))
  const files = [...entries, ...Object.values<string>(manifest.bin), ...workers]
  expect(files.length).toBeGreaterThan(15)
  for (const file of files) expect(packed).toContain(normalize(file))
})

test('a debugger finds the source of each built file in the package', () => {
  const maps = [...packed].filter((file) => file.endsWith('.js.map'))
  expect(maps).toContain('dist/index.js.map')
  for (const map of maps) {
    const { sources } = JSON.parse(read(map))
    for (const source of sources) expect(packed).toContain(normalize(join(dirname(map), source)))
  }
})

test('tests, benchmarks and what a run leaves behind stay out of the package', () => {
  const others = [...packed].filter((file) =>
    /^(test|\.|node_modules)|\.(db|tgz|log)$|^journal\/\d/.test(file),
  )
  expect(others).toEqual([])
})

describe('package.json', () => {
  test('says where the source, its home and its problems are, all in one place', () => {
    const [, place] = /^git\+(https:\/\/.+)\.git$/.exec(manifest.repository.url) ?? []
    expect(place).toBeDefined()
    expect(manifest.homepage).toBe(`${place}#readme`)
    expect(manifest.bugs.url).toBe(`${place}/issues`)
  })

  test('asks nobody for money, and is published with its provenance only', () => {
    expect(manifest).not.toHaveProperty('funding')
    expect(manifest.publishConfig).toEqual({ access: 'public', provenance: true })
  })
})
