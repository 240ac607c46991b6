import { createInterface } from 'node:readline/promises'
import { countText } from '../../maintenance/count-text.js'
import type { PriceProposal } from '../../maintenance/prices/import-prices.js'
import { visible } from '../output/terminal.js'
import { CommandFailure } from '../run/failure.js'
import { figuresText } from './price-text.js'

/** Asks a person a question, and resolves to the line that they type. */
export type Ask = (question: string) => Promise<string>

/** Whether a person can be asked: both ends are terminals. */
export function canAskPerson(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true
}

/**
 * Asks about each proposal, and returns those that were confirmed. Only `y` and `yes` confirm one;
 * after an answer that is neither yes nor no the question is asked again.
 */
export async function confirmProposals(
  proposals: readonly PriceProposal[],
  ask: Ask,
): Promise<PriceProposal[]> {
  const confirmed: PriceProposal[] = []
  for (const [index, proposal] of proposals.entries()) {
    const question = visible(questionOf(proposal))
    if (await isConfirmed(`${index + 1} of ${proposals.length}: ${question} [y/N] `, ask)) {
      confirmed.push(proposal)
    }
  }
  return confirmed
}

function questionOf({ provider, name, model, rule, requests, price }: PriceProposal): string {
  const whose = `${name} (${provider ?? 'no provider'}, ${countText(requests, 'request')})`
  const cost = price === null ? '' : `, ${figuresText(price)}`
  return `does ${whose} cost what ${model} costs${cost}? Its name ${rule}.`
}

async function isConfirmed(question: string, ask: Ask): Promise<boolean> {
  for (;;) {
    const answer = (await ask(question)).trim()
    if (/^y(es)?$/i.test(answer)) return true
    if (/^(no?)?$/i.test(answer)) return false
  }
}

/**
 * Calls a function with an {@link Ask} that asks on the terminal.
 *
 * @throws CommandFailure if the person ends the input or the command instead of answering.
 */
export async function withTerminal<T>(use: (ask: Ask) => Promise<T>): Promise<T> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  // Lines that are typed ahead wait here; `question` would lose them.
  const lines = terminal[Symbol.asyncIterator]()
  terminal.once('SIGINT', () => terminal.close())
  try {
    return await use(async (question) => {
      terminal.setPrompt(question)
      terminal.prompt()
      const line = await lines.next()
      if (line.done !== true) return line.value
      process.stdout.write('\n')
      throw new CommandFailure('stopped while proposals were confirmed: nothing was written')
    })
  } finally {
    terminal.close()
  }
}
