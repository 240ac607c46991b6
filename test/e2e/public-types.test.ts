import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')

/** A gateway that has this package installed, as `npm pack` gives it, and the types of Node.js. */
let gateway: string

beforeEach(() => {
  gateway = mkdtempSync(join(tmpdir(), 'request-journal-gateway-'))
  const modules = join(gateway, 'node_modules')
  mkdirSync(modules)
  symlinkSync(ROOT, join(modules, 'request-journal'))
  symlinkSync(join(ROOT, 'node_modules/@types'), join(modules, '@types'))
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    noEmit: true,
    types: ['node'],
    // The declarations of this package are checked; those of TypeScript's own library take long.
    skipLibCheck: false,
    skipDefaultLibCheck: true,
  }
  writeFileSync(join(gateway, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['gateway.ts'] }))
})

afterEach(() => rmSync(gateway, { recursive: true }))

function compile(program: string, ...options: string[]): { status: number | null; stdout: string } {
  writeFileSync(join(gateway, 'gateway.ts'), program)
  return spawnSync(process.execPath, [TSC, '-p', '.', ...options], { cwd: gateway, encoding: 'utf8' })
}

test('a gateway that imports openJournal compiles types of this package and of Node.js only', () => {
  const program = `import { openJournal } from 'request-journal'
    const journal = openJournal()
    journal.record({ model: 'gpt-4o', latency_ms: 842, success: true, labels: { team: undefined } })
    const { attempt } = journal.append({ model: 'gpt-4o', latency_ms: 842, success: true, provider: null })
    export const isRetry: boolean = attempt !== undefined && attempt > 0`
  const { status, stdout } = compile(program, '--listFiles')
  expect(status, stdout).toBe(0)
  const files = stdout.trim().split('\n')
  expect(files.join('\n')).toContain('dist/events/event-types.d.ts')
  const isExpected =
    /\/dist\/|\/gateway\.ts$|\/lib\.[\w.]+\.d\.ts$|\/node_modules\/(@types\/node|undici-types|buffer)\//
  expect(files.filter((file) => !isExpected.test(file))).toEqual([])
})

test('a field that is missing or misspelt, or a value of another type, is a compile error', () => {
  const { status, stdout } = compile(
    `import { openJournal } from 'request-journal'
    const journal = openJournal()
    journal.record({ model: 'gpt-4o', latency_ms: 842 })
    journal.record({ model: 'gpt-4o', latency_ms: 842, success: true, tokens: 5 })
    journal.record({ model: 'gpt-4o', latency_ms: 842, success: true, provider: 5 })
    journal.record({ type: 'stream_completed', correlation_id: 'a', success: true })`,
    '--skipLibCheck',
  )
  expect(status).not.toBe(0)
  const lines = [...stdout.matchAll(/^gateway\.ts\((\d+),/gm)].map(([, line]) => Number(line))
  expect([...new Set(lines)]).toEqual([3, 4, 5, 6])
})
