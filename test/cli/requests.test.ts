import { once } from 'node:events'
import { renameSync } from 'node:fs'
import { describe, expect, vi } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { runHere } from '../support/command.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { end, run, start } from '../support/program.js'
import { test, type Workspace } from '../support/workspace.js'

async function append({ journal, database }: Workspace, ...text: string[]): Promise<void> {
  writeSegment(journal, lines(...text))
  await projectOnce({ journal, database })
}

const ids = (json: Record<string, unknown>) => (json['data'] as { id: number }[]).map(({ id }) => id)

test('every filter, sort and order of the command line is that of the answer', async ({ workspace }) => {
  await append(
    workspace,
    requestLine('a', { cost_sats: 3, latency_ms: 1, labels: { team: 'x' } }),
    requestLine('b', { cost_sats: 1, latency_ms: 3, streaming: true, success: false, provider: 'p' }),
    requestLine('c', { cost_sats: 2, latency_ms: 2, model: 'o3' }),
  )
  const list = async (...args: string[]) => {
    const { status, stderr, json } = await runHere([
      'requests',
      '--db',
      workspace.database,
      '--json',
      ...args,
    ])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    return ids(json)
  }
  expect(await list('--failed')).toEqual([2])
  expect(await list('--success', 'false')).toEqual([2])
  expect(await list('--success', 'true')).toEqual([3, 1])
  expect(await list('--streaming')).toEqual([2])
  expect(await list('--streaming', 'false')).toEqual([3, 1])
  expect(await list('--correlation-id', 'c')).toEqual([3])
  expect(await list('--without-provider')).toEqual([3, 1])
  expect(await list('--without-policy', '--failed')).toEqual([2])
  expect(await list('--label', 'team=x')).toEqual([1])
  expect(await list('--model', 'O3')).toEqual([3])
  expect(await list('--sort', 'cost_sats')).toEqual([1, 3, 2])
  expect(await list('--sort', 'latency_ms', '--order', 'asc')).toEqual([1, 3, 2])
  expect(await list('--until', '2026-11-22T09:59:59Z')).toEqual([])
  expect(await list('--before', '2026-11-22T10:00:00Z')).toEqual([])
})

test('--json has whole entries, and streams without an end are told by their age', async ({ workspace }) => {
  const timestamp = new Date().toISOString()
  await append(
    workspace,
    requestLine('a', { policy: 'chat', labels: { team: 'x' } }),
    requestLine('b', { streaming: true }),
    requestLine('c', { streaming: true, timestamp }),
    requestLine('d', { streaming: true, output_tokens: 1 }),
  )
  const list = async (...args: string[]) => {
    const { json } = await runHere([
      'requests',
      '--db',
      workspace.database,
      '--json',
      '--order',
      'asc',
      ...args,
    ])
    return json['data']
  }
  expect(await list()).toMatchObject([
    { correlation_id: 'a', policy: 'chat', labels: { team: 'x' }, state: 'finished' },
    { correlation_id: 'b', policy: null, labels: null, state: 'unfinished' },
    { correlation_id: 'd', state: 'finished' },
    { correlation_id: 'c', state: 'open' },
  ])
  expect(await list('--open')).toMatchObject([{ correlation_id: 'c' }])
  expect(await list('--unfinished')).toMatchObject([{ correlation_id: 'b' }])
})

test('pages by key: each page names the next one', async ({ workspace }) => {
  await append(workspace, ...['a', 'b', 'c'].map((id) => requestLine(id)))
  const list = async (...args: string[]) =>
    await runHere(['requests', '--db', workspace.database, '--per-page', '2', ...args])
  const { json } = await list('--cursor', 'start', '--json')
  expect(ids(json)).toEqual([3, 2])
  const { stdout } = await list('--cursor', 'start')
  expect(stdout).toContain(`\nnext page: --cursor ${json['next_cursor']}\n`)
  const last = await list('--cursor', String(json['next_cursor']))
  expect(last.stdout).toMatch(/^2026-11-22 10:00:00 +1 [\s\S]*\nthe last page\n$/m)
  expect(await list('--cursor', 'x')).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringMatching(/^error: Invalid cursor: 'x' isn't one, expected 'start' or/),
  })
})

describe('--follow', () => {
  /** Starts it, and gives its lines as they come. */
  function follow(workspace: Workspace, ...args: string[]) {
    const child = start(['requests', '--follow', '--db', workspace.database, ...args])
    const { stdout } = child
    if (stdout === null) throw new Error('stdout is piped')
    let text = ''
    stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    let errors = ''
    child.stderr?.on('data', (chunk) => {
      errors += chunk
    })
    const until = async (count: number) => {
      while (text.split('\n').length <= count) await once(stdout, 'data')
      return text.trimEnd().split('\n')
    }
    return { child, until, errors: () => errors }
  }

  test('shows what was there last, what comes, and a stream again when it ends; Ctrl-C ends it with 130', async ({
    workspace,
  }) => {
    await append(workspace, ...Array.from({ length: 12 }, (_, i) => requestLine(`r${i}`)))
    const { child, until } = follow(workspace, '--json')
    expect((await until(10)).map((line) => JSON.parse(line).id)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    await append(workspace, requestLine('s', { streaming: true }))
    expect(JSON.parse((await until(11))[10] ?? '')).toMatchObject({ id: 13, tokens: { output: null } })
    await append(workspace, completionLine('s', { output_tokens: 7, success: true }))
    expect(JSON.parse((await until(12))[11] ?? '')).toMatchObject({ id: 13, tokens: { output: 7 } })
    expect(await end(child, 'SIGINT')).toBe(130)
  })

  test('has no colours without a terminal, and no control characters ever', async ({ workspace }) => {
    await append(
      workspace,
      requestLine('a', { model: 'x\u001b[31m', error_message: '\u202e', success: false }),
    )
    const { child, until } = follow(workspace)
    const [line = ''] = await until(1)
    expect(line).toMatch(/^10:00:00 ✗ x\\x1b\[31m +– .* failed \\u202e$/)
    expect(await end(child)).toBe(143)
  })

  test('leaves columns out on a narrow page, but never what went wrong', async ({ workspace }) => {
    const error_message = 'the client went away before the first byte'
    const timestamp = new Date().toISOString()
    await append(
      workspace,
      requestLine('a', {
        model: 'a-model-with-a-long-name',
        success: false,
        error_status: 499,
        error_message,
      }),
      requestLine('b', { timestamp, streaming: true }),
      requestLine('c', { streaming: true }),
    )
    vi.stubEnv('COLUMNS', '40')
    const { child, until } = follow(workspace)
    vi.unstubAllEnvs()
    const lines = await until(3)
    expect(lines[0]).toBe(`10:00:00 ✗ a-model-wit…    100 ms failed 499 ${error_message}`)
    expect(lines[1]).toMatch(/^\S+ ▸ gpt-4o {10}100 ms open$/)
    expect(lines[2]).toMatch(/^10:00:00 ▸ gpt-4o {10}100 ms unfinished$/)
    await end(child)
  })

  test('a filter holds, and an unknown model is an error', async ({ workspace }) => {
    await append(workspace, requestLine('a'), requestLine('b', { model: 'o3' }))
    const { child, until } = follow(workspace, '--model', 'O3', '--json')
    await until(1)
    await append(workspace, requestLine('c'), requestLine('d', { model: 'o3' }))
    expect((await until(2)).map((line) => JSON.parse(line).id)).toEqual([2, 4])
    await end(child)
    expect(run(['requests', '--follow', '--model', 'none', '--db', workspace.database])).toMatchObject({
      status: 1,
      stderr: "error: Model 'none' not found\n",
    })
  })

  test('a database that is removed, or replaced, is an error: nothing would come any more', async ({
    workspace,
  }) => {
    await append(workspace, requestLine('a'))
    const { child, until, errors } = follow(workspace, '--json')
    await until(1)
    const exit = once(child, 'exit')
    renameSync(workspace.database, `${workspace.database}.old`)
    expect(await exit).toEqual([1, null])
    expect(errors()).toMatch(/requests\.db: the database was removed or replaced/)
  })

  test('ends quietly at the next request when nobody reads any more', async ({ workspace }) => {
    await append(workspace, requestLine('a'))
    const { child, until, errors } = follow(workspace, '--json')
    await until(1)
    child.stdout?.destroy()
    const exit = once(child, 'exit')
    await append(workspace, requestLine('b'))
    expect(await exit).toEqual([0, null])
    // It may look whether all is projected while `append` is between writing and projecting.
    expect(errors().replace(/^.*note: .* not projected yet.*\n/m, '')).toBe('')
  })
})
