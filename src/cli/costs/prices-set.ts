import type { Command } from 'commander'
import {
  type Currency,
  PRICE_PARTS,
  type PriceInput,
  type PricePart,
  type PriceSet,
} from '../../events/event-types.js'
import { isWithdrawn } from '../../folds/costs/price.js'
import { countText } from '../../maintenance/count-text.js'
import type { PriceEffect } from '../../maintenance/prices/price-effect.js'
import { printAnswer } from '../output/standard-output.js'
import { visible } from '../output/terminal.js'
import type { CommonFlags, ProgramCommand } from '../run/command.js'
import { wholeNumberBetween } from '../run/options.js'
import { parseName, parsePricePerMillion, parsePricePerRequest, parseStart } from './price-options.js'
import { figuresText, keyText } from './price-text.js'

interface SetFlags extends CommonFlags {
  provider?: string
  currency: Currency
  validFrom?: string
  perRequest?: string
  serviceTier?: string
  minInputTokens?: number
  source: string
  withdraw?: true
}

const TOKENS: Record<PricePart, string> = {
  input: 'input tokens',
  cache_read_input: 'input tokens read from a cache',
  cache_creation_input: 'input tokens written to a cache',
  cache_creation_1h_input: 'input tokens written to a cache for an hour',
  audio_input: 'input tokens of audio',
  image_input: 'input tokens of images',
  output: 'output tokens',
  reasoning_output: 'output tokens of reasoning',
  audio_output: 'output tokens of audio',
}

export function addPricesSet(prices: ProgramCommand): void {
  const command: ProgramCommand = prices
    .command('set')
    .summary('set one price')
    .argument('<model>', 'the exact name that requests have as response_model or as model', parseName)
    .description(
      'Appends one price to the journal: what a million tokens of a model, or each request, cost from a ' +
        'time on. Tokens without a price of their own, such as those read from a cache, have the price of the ' +
        'tokens that they are part of. The projector then computes the cost of the requests from that time ' +
        'on, including those that are already there.',
    )
    .journalOption()
    .storeOption()
    .option('--provider <name>', 'only for this provider; by default for any', parseName)
    .choiceOption('--currency <currency>', 'what the prices are in', ['usd', 'sats'], 'usd')
    .option(
      '--valid-from <time>',
      'when the price takes effect, such as 2026-11-01 or 2026-11-01T09:30Z (UTC without an offset); by default now',
      parseStart,
    )
  for (const part of PRICE_PARTS) {
    const name = part.replaceAll('_', '-')
    command.option(
      `--${name} <price>`,
      `the price of a million ${TOKENS[part]}, such as 0.15`,
      parsePricePerMillion,
    )
  }
  command
    .option(
      '--per-request <price>',
      'what each request costs in addition to its tokens',
      parsePricePerRequest,
    )
    .option(
      '--service-tier <tier>',
      'only for this service tier, such as flex; by default for requests without a tier, or with default, ' +
        'standard, auto or on_demand',
      parseName,
    )
    .option(
      '--min-input-tokens <n>',
      'only for requests with at least this many input tokens',
      wholeNumberBetween(0, Number.MAX_SAFE_INTEGER),
    )
    .option('--source <text>', 'where the price is from, as a note for people', 'prices set')
    .exclusiveOption('--withdraw', 'end the price instead: from then on none is in force', [
      'perRequest',
      ...PRICE_PARTS.map((part) => camelCase(part)),
    ])
    .jsonOption()
    .examples(
      'request-journal prices set gpt-4o --provider openai --input 2.5 --cache-read-input 1.25 --output 10',
      'request-journal prices set gpt-4o --service-tier flex --input 1.25 --output 5 --valid-from 2026-11-01',
      'request-journal prices set old-model --withdraw',
    )
    .action(setPrice)
}

async function setPrice(model: string, flags: SetFlags, command: Command): Promise<void> {
  const { normalizeEvent } = await import('../../events/normalize-event.js')
  const { InvalidEventError } = await import('../../events/errors.js')
  const { appendEvents } = await import('./append-events.js')
  const given = flags as unknown as Record<string, string | undefined>
  const parts = PRICE_PARTS.flatMap((part) => {
    const price = given[camelCase(part)]
    return price === undefined ? [] : [[part, price]]
  })
  if (parts.length === 0 && flags.perRequest === undefined && flags.withdraw === undefined) {
    command.error('error: no price was given: expected --input, --output or another one, or --withdraw')
  }
  const input: PriceInput = {
    type: 'price_set',
    provider: flags.provider ?? null,
    model,
    valid_from: flags.validFrom ?? new Date().toISOString(),
    currency: flags.currency,
    per_million: parts.length === 0 ? null : Object.fromEntries(parts),
    per_request: flags.perRequest ?? null,
    service_tier: flags.serviceTier ?? null,
    min_input_tokens: flags.minInputTokens ?? null,
    source: flags.source,
  }
  let price: PriceSet
  try {
    // Checked first, because opening the journal would create it.
    price = normalizeEvent(input, { correlationId: () => '', timestamp: () => '' }) as PriceSet
  } catch (error) {
    if (error instanceof InvalidEventError) command.error(`error: ${error.message}`)
    throw error
  }
  // Counted first: a running projector would have priced them a moment after the price is appended.
  const effect = await effectOf(flags, price)
  await appendEvents(flags, [input])
  const { unpriced = null, priced = null } = effect?.requests ?? {}
  const answer = {
    appended: 1,
    price: input,
    unpriced: flags.withdraw ? null : unpriced,
    priced,
    until: effect?.next?.valid_from ?? null,
  }
  printAnswer(answer, flags, () => {
    const set = `${keyText(price)} ${figuresText(price)} from ${price.valid_from}, appended to ${flags.journal}`
    return [set, ...cacheNote(price), ...(effect === null ? [] : effectLines(price, effect))]
      .map(visible)
      .join('\n')
  })
}

/** How long to count the requests that a price applies to. */
const LOOK_MS = 1000

/** What the price changes; null if neither the database nor the journal shows it. */
async function effectOf(flags: SetFlags, price: PriceSet): Promise<PriceEffect | null> {
  const { priceEffect } = await import('../../maintenance/prices/price-effect.js')
  try {
    return await priceEffect(price, { ...flags, deadline: performance.now() + LOOK_MS })
  } catch {
    // The price can be set without this, which only says more about it.
    return null
  }
}

function effectLines(price: PriceSet, { next, requests }: PriceEffect): string[] {
  const { since, before, first } = requests?.unpriced ?? { since: 0, before: 0, first: null }
  const { changed, lost } = requests?.priced ?? { changed: 0, lost: null }
  const once = `once ${isWithdrawn(price) ? 'this' : 'the price'} is projected`
  const getCost = since === 1 ? 'gets its cost' : 'get their cost'
  const getNewCost = changed === 1 ? 'gets a new cost' : 'get a new cost'
  const stay = before === 1 ? 'stays' : 'stay'
  return [
    ...untilLine(price, next),
    ...(since === 0 ? [] : [`${countText(since, 'unpriced request')} ${getCost} ${once}`]),
    ...(changed === 0 ? [] : [`${countText(changed, 'priced request')} ${getNewCost} ${once}`]),
    ...lostLine(price, lost, once),
    ...(first === null
      ? []
      : [
          `${countText(before, 'earlier request')} ${stay} unpriced: --valid-from ${first} reaches back to the first`,
        ]),
  ]
}

/** The next price of the same key ends this one, whichever was appended later. */
function untilLine(price: PriceSet, next: PriceSet | null): string[] {
  if (next === null) return []
  const { valid_from: end, model } = next
  if (isWithdrawn(price)) return [`only until ${end}, when ${model} has a price again: ${figuresText(next)}`]
  const begins = isWithdrawn(next)
    ? `when the price of ${model} is withdrawn`
    : `when the next price of ${model} begins: ${figuresText(next)}`
  return [`in force until ${end}, ${begins}; the same with --valid-from ${end} replaces that one`]
}

/** @param lost null: unknown */
function lostLine(price: PriceSet, lost: number | null, once: string): string[] {
  if (!isWithdrawn(price)) return []
  const lose = lost === 1 ? 'loses its cost' : 'lose their cost'
  const requests =
    lost === 0 ? 'no priced request loses its cost' : `${countText(lost ?? 0, 'request')} ${lose} ${once}`
  const back = "the earlier price doesn't take effect again: set it again from the same time on"
  return [lost === null ? back : `${requests}; ${back}`]
}

function cacheNote({ per_million: prices }: PriceSet): string[] {
  if (prices?.input === undefined || prices.cache_read_input !== undefined) return []
  return ['tokens read from a cache cost the full price of input: --cache-read-input sets their own']
}

function camelCase(part: string): string {
  return part.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}
