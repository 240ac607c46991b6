import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { PROGRAM } from '../support/program.js'
import { test } from '../support/workspace.js'

/** Runs a command as if a package weren't installed. */
function runWithout(name: string, args: string[]): { status: number | null; stderr: string } {
  const hooks = `export const resolve = (specifier, context, next) =>
    next(specifier === '${name}' ? 'a-package-that-is-not-there' : specifier, context)`
  const url = `data:text/javascript,${encodeURIComponent(hooks)}`
  const register = `import { register } from 'node:module'; register(${JSON.stringify(url)})`
  const importing = `data:text/javascript,${encodeURIComponent(register)}`
  const environment = { ...process.env, AWS_REGION: 'eu-test-1' }
  return spawnSync(process.execPath, ['--import', importing, PROGRAM, ...args], {
    encoding: 'utf8',
    env: environment,
  })
}

test('a command whose optional package is missing says what to install, and leaves nothing', async ({
  workspace,
}) => {
  const { journal, database, directory } = workspace
  writeSegment(journal, lines(requestLine('a')))
  await projectOnce({ journal, database })
  const lake = join(directory, 'lake')
  const parquet = ['export', '--db', database, '--format', 'parquet', '--partition-by', 'day', '--output']
  for (const [name, args] of [
    ['@aws-sdk/client-s3', ['ship', '--journal', journal, '--to', 's3://logs/x']],
    ['@aws-sdk/client-s3', [...parquet, 's3://logs/x']],
    ['hyparquet-writer', [...parquet, lake]],
  ] as const) {
    const { status, stderr } = runWithout(name, [...args])
    expect(status).toBe(1)
    expect(stderr).toContain(`error: ${name}: it isn't installed: \`npm install ${name}\` installs`)
  }
  expect(existsSync(lake)).toBe(false)
})
