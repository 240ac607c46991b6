import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { confirmProposals } from '../../../src/cli/costs/confirm-proposals.js'
import type { PriceProposal } from '../../../src/maintenance/prices/import-prices.js'
import { projectOnce } from '../../../src/projection/index.js'
import { runHere } from '../../support/command.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { PROGRAM } from '../../support/program.js'
import { test, type Workspace } from '../../support/workspace.js'

const proposal = (name: string, price: PriceProposal['price'] = null): PriceProposal => ({
  provider: 'openai',
  name,
  model: 'gpt-4o',
  rule: "begins with 'gpt-4o'",
  requests: 2,
  price,
})

describe('confirmProposals', () => {
  test('asks about each one, and takes those that are answered with y or yes', async () => {
    const questions: string[] = []
    const answers = ['y', ' YES ', '', 'n', 'No']
    const proposals = answers.map((_, index) => proposal(`gpt-4o-${index}`))
    const confirmed = await confirmProposals(proposals, async (question) => {
      questions.push(question)
      return answers[questions.length - 1] ?? ''
    })
    expect(confirmed.map(({ name }) => name)).toEqual(['gpt-4o-0', 'gpt-4o-1'])
    expect(questions[0]).toBe(
      "1 of 5: does gpt-4o-0 (openai, 2 requests) cost what gpt-4o costs? Its name begins with 'gpt-4o'. [y/N] ",
    )
    expect(questions).toHaveLength(5)
  })

  test('asks again after an answer that is neither, says the price, and lets no control character through', async () => {
    const price = { currency: 'usd', per_million: { input: '2.5', output: '10' }, per_request: null } as const
    const answers = ['yep', 'ny', 'y']
    const questions: string[] = []
    const confirmed = await confirmProposals([proposal('gpt-4o\x1b[2J', price)], async (question) => {
      questions.push(question)
      return answers.shift() ?? ''
    })
    expect(confirmed).toHaveLength(1)
    expect(questions).toEqual(Array(3).fill(questions[0]))
    expect(questions[0]).toContain('cost what gpt-4o costs, usd: input 2.5, output 10?')
    expect(questions[0]).toContain('gpt-4o\\x1b[2J')
  })
})

const hasScript = spawnSync('script', ['--version']).status === 0

/** A log with two models that a list may mean, and the arguments that import it. */
async function prepare({ directory, journal, database }: Workspace): Promise<string[]> {
  const usage = { provider: 'openai', input_tokens: 1000, output_tokens: 100 }
  writeSegment(
    journal,
    lines(
      requestLine('a', { model: 'gpt-4o-2024-11-20', ...usage }),
      requestLine('b', { model: 'gpt-4o-2024-11-20', ...usage }),
      requestLine('c', { model: 'gpt-4o-2024-08-06', ...usage }),
    ),
  )
  await projectOnce({ journal, database })
  const file = join(directory, 'prices.json')
  const price = (provider: string) => ({
    litellm_provider: provider,
    mode: 'chat',
    input_cost_per_token: 2.5e-6,
  })
  writeFileSync(file, JSON.stringify({ 'gpt-4o': price('openai') }))
  return ['prices', 'import', '--from', 'litellm', file, '--used', '--journal', journal, '--db', database]
}

/**
 * Runs the program on a terminal of its own, whose person types the next of these texts at each
 * question.
 */
async function onTerminal(
  args: string[],
  ...typed: string[]
): Promise<{ status: number | null; text: string }> {
  const command = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(' ')
  const options = ['--quiet', '--return', '--command', command, '/dev/null']
  const child = spawn('script', options, { stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  let asked = 0
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
    while (text.split('[y/N] ').length - 1 > asked) child.stdin.write(typed[asked++] ?? '\x04')
  })
  const [status] = await once(child, 'close')
  return { status: status as number | null, text: text.replaceAll('\r', '') }
}

describe.skipIf(!hasScript)('prices import on a terminal', () => {
  test('asks with --yes about each proposal, and appends the prices of those that were confirmed', async ({
    workspace,
  }) => {
    const args = await prepare(workspace)
    const { status, text } = await onTerminal([...args, '--yes'], 'y\n', 'n\n')
    expect(text).toContain('1 of 2: does gpt-4o-2024-11-20 (openai, 2 requests) cost what gpt-4o costs')
    expect(text).toContain('2 of 2: does gpt-4o-2024-08-06 (openai, 1 request)')
    expect(text).toContain(`1 price appended to ${workspace.journal}`)
    expect(status).toBe(0)
    await projectOnce(workspace)
    const { json } = await runHere(['prices', '--db', workspace.database, '--json'])
    expect(json['prices']).toMatchObject([
      { model: 'gpt-4o-2024-11-20', provider: 'openai', source: 'litellm as gpt-4o' },
    ])
  })

  test('writes nothing if the person ends the input or the command instead of answering', async ({
    workspace,
  }) => {
    const args = await prepare(workspace)
    for (const typed of [['y\n', '\x04'], ['\x03']]) {
      const { status, text } = await onTerminal([...args, '--yes'], ...typed)
      expect(text).toContain('stopped while proposals were confirmed: nothing was written')
      expect(status).toBe(1)
    }
    await projectOnce(workspace)
    const { json } = await runHere(['prices', '--db', workspace.database, '--json'])
    expect(json['prices']).toEqual([])
  })

  test('without --yes lists the proposals and asks nothing', async ({ workspace }) => {
    const { status, text } = await onTerminal(await prepare(workspace))
    expect(text).toContain("--alias 'gpt-4o-2024-11-20=gpt-4o'  openai, 2 requests: begins with 'gpt-4o'")
    expect(text).not.toContain('[y/N]')
    expect(status).toBe(0)
  })
})

test('prices import asks nothing where no person is, and lists the alias of each proposal', async ({
  workspace,
}) => {
  const args = await prepare(workspace)
  const { status, stdout } = await runHere([...args, '--yes'])
  expect(status).toBe(0)
  expect(stdout).toContain("--alias 'gpt-4o-2024-08-06=gpt-4o'  openai, 1 request: begins with 'gpt-4o'")
  expect(stdout).toMatch(/Nothing to append\n$/)
})
