import { execFileSync, spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { buildWriter } from '../../writer/build.mjs'
import { query } from '../support/workspace.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const VERSION = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version

/** Somebody's program, which has installed the packed package, and nothing else. */
let app: string
let tarball: { size: number; filename: string; files: { path: string }[] }

beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), 'request-journal-writer-app-'))
  const made = join(app, 'made')
  await buildWriter(made)
  const packed = execFileSync('npm', ['pack', made, '--json', '--pack-destination', app], {
    cwd: app,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const answer = JSON.parse(packed)
  tarball = Array.isArray(answer) ? answer[0] : Object.values(answer)[0]
  const target = join(app, 'node_modules/request-journal-writer')
  mkdirSync(target, { recursive: true })
  execFileSync('tar', ['xzf', tarball.filename, '--strip-components=1', '-C', target], { cwd: app })
  rmSync(made, { recursive: true })
  writeFileSync(join(app, 'package.json'), '{"type":"module"}')
})

afterAll(() => rmSync(app, { recursive: true }))

test('the package is under 100 kB, has no dependency, and holds nothing that tests alone need', () => {
  const folder = join(app, 'node_modules/request-journal-writer')
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  expect(tarball.size).toBeLessThan(100_000)
  expect(Object.keys(manifest).filter((name) => /dependencies|scripts/i.test(name))).toEqual([])
  expect(manifest.version).toBe(VERSION)
  const code = readdirSync(folder).filter((name) => name.endsWith('.js'))
  expect(code.toSorted()).toEqual(['fetch.js', 'index.js', 'shared.js'])
  const texts = code.map((name) => readFileSync(join(folder, name), 'utf8'))
  expect(texts.join('').length).toBeLessThan(100_000)
  const imported = texts.flatMap((text) =>
    [...text.matchAll(/\bfrom\s*"([\w@./:-]+)"/g)].map(([, name = '']) => name),
  )
  expect(imported.filter((name) => !/^(node:\w+|\.\/shared\.js)$/.test(name))).toEqual([])
})

test.each([
  ['imports', 'app.mjs', (name: string) => `await import('${name}')`],
  ['requires', 'app.cjs', (name: string) => `require('${name}')`],
])('a program that %s it writes a journal that request-journal projects', async (how, file, load) => {
  const journal = join(app, how, 'journal')
  const program = `
    async function main() {
      const { openJournal, InvalidEventError } = ${load('request-journal-writer')}
      const { loggedFetch } = ${load('request-journal-writer/fetch')}
      const journal = openJournal({ directory: ${JSON.stringify(journal)} })
      journal.begin({ model: 'begun' }).complete({ input_tokens: 3, output_tokens: 4 })
      const answer = { model: 'told', usage: { prompt_tokens: 5, completion_tokens: 6 } }
      const fetch = loggedFetch(journal, { fetch: async () => Response.json(answer) })
      const call = { method: 'POST', body: JSON.stringify({ model: 'asked' }) }
      await (await fetch('http://provider.test/v1/chat/completions', call)).json()
      try {
        journal.append({ model: 'without a latency' })
      } catch (error) {
        console.log(error instanceof InvalidEventError, error.name, error.code)
      }
      await journal.close()
    }
    main()`
  writeFileSync(join(app, file), program)
  const { stdout, stderr } = spawnSync(process.execPath, [join(app, file)], { encoding: 'utf8' })
  expect(stderr.replace(/^.*ExperimentalWarning.*\n.*--trace-warnings.*\n/m, '')).toBe('')
  expect(stdout).toBe('true InvalidEventError INVALID_EVENT\n')
  const database = join(app, how, 'requests.db')
  await projectOnce({ journal, database })
  expect(query(database, 'SELECT model, input_tokens, output_tokens FROM requests ORDER BY id')).toEqual([
    { model: 'begun', input_tokens: 3, output_tokens: 4 },
    { model: 'asked', input_tokens: 5, output_tokens: 6 },
  ])
})

test('the program in its README compiles under both resolutions, every declaration checked', () => {
  const readme = readFileSync(join(app, 'node_modules/request-journal-writer/README.md'), 'utf8')
  const [, example] = /^```ts\n(.*?)^```/ms.exec(readme) ?? []
  const isAString = `// @ts-expect-error: it isn't a number.\nexport const directory: number = openJournal()\n`
  writeFileSync(join(app, 'readme.ts'), `${example}${isAString}`)
  mkdirSync(join(app, 'node_modules/@types'))
  for (const types of ['@types/node', 'undici-types', 'buffer']) {
    symlinkSync(join(ROOT, 'node_modules', types), join(app, 'node_modules', types))
  }
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const declarations = ['--skipLibCheck', 'false', '--skipDefaultLibCheck', 'true']
  const strict = ['--noEmit', '--strict', ...declarations, '--target', 'es2023', '--types', 'node']
  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    const options = [...strict, '--module', String(module), '--moduleResolution', String(resolution)]
    const { stdout } = spawnSync(process.execPath, [tsc, 'readme.ts', '--ignoreConfig', ...options], {
      cwd: app,
      encoding: 'utf8',
    })
    expect(stdout).toBe('')
  }
})
