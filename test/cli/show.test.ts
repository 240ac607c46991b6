import { expect } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { runHere } from '../support/command.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { checkedLine, completionLine, requestLine } from '../support/lines.js'
import { test } from '../support/workspace.js'

const LOGGED = requestLine('a\u001b', { streaming: true, labels: { team: 'x\n' }, policy: 'chat' })
const COMPLETED = completionLine('a\u001b', { output_tokens: 7, success: true, stream_duration_ms: 12_000 })

test('the row, its labels, where it stands, and the lines themselves, all safe to look at', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(LOGGED, COMPLETED))
  await projectOnce({ journal, database })
  const show = (...args: string[]) => runHere(['show', ...args, '--journal', journal, '--db', database])
  const { status, stdout, stderr } = await show('1')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
  expect(stdout).toMatch(/^correlation {2}a\\x1b$/m)
  expect(stdout).toMatch(/^tokens {7}– in, 7 out$/m)
  expect(stdout).toMatch(/^stream {7}12\.0 s$/m)
  expect(stdout).toMatch(/^label {8}team = x\\n$/m)
  expect(stdout).toContain(`logged at byte 0 of ${DAY}:\n  ${LOGGED}\n`)
  expect(stdout).toContain(`completed at byte ${Buffer.byteLength(LOGGED) + 1} of ${DAY}:\n  ${COMPLETED}\n`)
  expect((await show('1', '--json')).json).toMatchObject({
    id: 1,
    line: { text: LOGGED },
    completed_line: { text: COMPLETED },
  })
})

test('parts of the tokens, and how the cost came about', async ({ workspace }) => {
  const { journal, database } = workspace
  const usage = { input_tokens: 1000, output_tokens: 100, cache_read_input_tokens: 400 }
  const price = {
    ...{ type: 'price_set', provider: null, model: 'gpt-4o', valid_from: '2026-11-01T00:00:00.000Z' },
    ...{ currency: 'usd', per_million: { input: '2', output: '10' }, per_request: '0.5' },
    ...{ service_tier: null, min_input_tokens: null, source: 'list' },
  }
  writeSegment(journal, lines(checkedLine(price), requestLine('a', { ...usage, response_model: 'gpt-4o-x' })))
  writeSegment(journal, lines(checkedLine({ ...price, model: 'gpt-4o-x', per_request: null, source: null })))
  await projectOnce({ journal, database })
  const { stdout } = await runHere(['show', 'a', '--journal', journal, '--db', database])
  expect(stdout).toMatch(/^answered by +gpt-4o-x$/m)
  expect(stdout).toMatch(/^tokens +1,000 in, 100 out; 400 read from a cache$/m)
  expect(stdout).toMatch(/^cost +0\.003000 usd$/m)
  expect(stdout).toMatch(/^cost is +usage times the price in force$/m)
  expect(stdout).toMatch(
    /^ {2}input +1,000 × 2 a million = 0\.002 usd, 400 of them read from a cache, at the price of input$/m,
  )
  expect(stdout).toMatch(/^ {2}output +100 × 10 a million = 0\.001 usd$/m)
  // Nobody uses satoshis here.
  expect(stdout).not.toContain('unpriced')
  expect(stdout).toMatch(
    /^price +input 2, output 10 usd a million tokens, since 2026-11-01 00:00:00 UTC, set at byte [\d,]+ of /m,
  )
})

test('without the journal the row is shown all the same', async ({ workspace }) => {
  const { journal, database, directory } = workspace
  writeSegment(journal, lines(LOGGED))
  await projectOnce({ journal, database })
  const { status, stdout } = await runHere(['show', '1', '--journal', `${directory}/none`, '--db', database])
  expect(status).toBe(0)
  expect(stdout).toContain(`the journal has no segment ${DAY}`)
})

test('by a correlation_id all that is logged of it, the newest last', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('17'), requestLine('b'), requestLine('17', { success: false })))
  await projectOnce({ journal, database })
  const show = (...args: string[]) => runHere(['show', ...args, '--journal', journal, '--db', database])
  const { status, stdout } = await show('17')
  expect(status).toBe(0)
  expect(stdout).toMatch(/^request +1\n[\s\S]*^outcome +ok$[\s\S]*\n\nrequest +3\n[\s\S]*^outcome +failed$/m)
  expect((await show('17', '--json')).json).toMatchObject([{ id: 1 }, { id: 3 }])
  expect((await show('b', '--json')).json).toMatchObject([{ id: 2, line: { text: requestLine('b') } }])
  // An id goes first.
  expect((await show('2', '--json')).json).toMatchObject({ id: 2, correlation_id: 'b' })
})

test('an id that isn’t there: exit 1; none at all: exit 2', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, '')
  await projectOnce({ journal, database })
  expect(await runHere(['show', '7', '--db', database])).toMatchObject({
    status: 1,
    stdout: '',
    stderr: 'error: Request 7 not found\n',
  })
  expect(await runHere(['show', 'x', '--db', database])).toMatchObject({
    status: 1,
    stderr: 'error: Request x not found\n',
  })
  expect(await runHere(['show', '', '--db', database])).toMatchObject({ status: 2, stdout: '' })
  expect(await runHere(['show', '--db', database])).toMatchObject({ status: 2, stdout: '' })
})

test('a completion whose request has not come is named with its place', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(completionLine('lost', { success: true })))
  await projectOnce({ journal, database })
  const { status, stderr } = await runHere(['show', 'lost', '--journal', journal, '--db', database])
  expect(status).toBe(1)
  expect(stderr).toContain(`not found, only its completion: it is held, from byte 0 of ${DAY}, because`)
})
