import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const ELAPSED = new URL('../../../dist/cli/output/elapsed.js', import.meta.url)
const hasScript = spawnSync('script', ['--version']).status === 0

/** A task that holds its thread, as a question to SQLite does. */
const TASK = `
const { withElapsedTime } = await import('${ELAPSED}')
const answer = await withElapsedTime(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500))
process.stdout.write('answer ' + answer)
process.exit()
`
const ARGS = ['--input-type=module', '--eval', TASK]

test.skipIf(!hasScript)(
  'a task that holds its thread for more than a second says so on a terminal, and takes it off again',
  () => {
    const command = [process.execPath, ...ARGS].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
    const { stdout } = spawnSync('script', ['--quiet', '--command', command, '/dev/null'], {
      encoding: 'utf8',
    })
    expect(stdout).toContain('\r\x1b[2Kstill working after 1 s\r\r\x1b[2Kanswer timed-out')
  },
)

test('it says nothing where stderr is no terminal', () => {
  const { stdout, stderr } = spawnSync(process.execPath, ARGS, { encoding: 'utf8' })
  expect({ stdout, stderr }).toEqual({ stdout: 'answer timed-out', stderr: '' })
})
