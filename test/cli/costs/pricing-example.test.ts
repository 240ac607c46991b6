import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { PROGRAM } from '../../support/program.js'
import { test } from '../../support/workspace.js'

const path = fileURLToPath(new URL('../../../docs/pricing.md', import.meta.url))
const [, section = ''] = readFileSync(path, 'utf8').split('## From a bill to a reconciled month\n')

test('the worked example of docs/pricing.md prints what the page says', ({ workspace }) => {
  const { directory } = workspace
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  const program = join(bin, 'request-journal')
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`)
  chmodSync(program, 0o755)
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, COLUMNS: '' }
  const blocks = [...section.matchAll(/^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?/gms)]
  expect(blocks.filter(([, , output]) => output !== undefined)).toHaveLength(2)
  for (const [, commands = '', output] of blocks) {
    // The first comparison finds differences, and so ends with 1.
    const script = `${commands}\ntest $? -le 1`
    const stdout = execFileSync('sh', ['-c', script], {
      cwd: directory,
      env,
      encoding: 'utf8',
      stdio: 'pipe',
    })
    if (output !== undefined) expect(stdout).toBe(output)
  }
})
