import type { CostPart, PriceOfRequest, RateOfRequest, Unpriced } from '../queries/costs/cost-origin.js'
import type { JournalPlace } from '../queries/rows/full-row.js'
import type { JournalLine } from '../queries/rows/journal-line.js'
import type { RequestDetail } from '../queries/rows/request-detail.js'
import { CURRENCIES } from '../queries/window/currency.js'
import { amountText } from './output/amounts.js'
import { formatCount, formatInstant, formatMs, formatTime, UNKNOWN } from './output/format.js'
import { outcomeText } from './output/request-table.js'
import { printAnswer } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import type { CommonFlags, ProgramCommand } from './run/command.js'
import { askDatabase } from './run/database.js'
import { CommandFailure } from './run/failure.js'
import { textThat } from './run/options.js'

export function addShow(program: ProgramCommand): void {
  program
    .command('show')
    .summary('one request with its journal lines')
    .argument(
      '<id>',
      'the id, as `requests` lists it, or a correlation_id',
      textThat((text) => text !== '', 'Expected the id of a request, or a correlation_id.'),
    )
    .description(
      'Shows everything that is known about one request: its row, its labels, the places of its lines in ' +
        'the journal, and the lines themselves, from the segment or its archive. With a correlation_id it ' +
        'shows everything that is logged under it, the newest last, and --json prints a list.',
    )
    .journalOption()
    .storeOption()
    .jsonOption()
    .examples(
      'request-journal show 42',
      'request-journal show 42 --json | jq -r .line.text',
      'request-journal show 0190b0b5-6c1e-7d9a-8f52-6a1b2c3d4e5f',
    )
    .action(async (text: string, flags: CommonFlags) => {
      const { getRequest, getRequestsOf } = await import('../queries/rows/request-detail.js')
      const { journal } = flags
      await askDatabase(flags, async (database) => {
        const id = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
        const detail = Number.isSafeInteger(id) ? await getRequest(database, id, { journal }) : null
        // A correlation_id may consist of digits too.
        const details = detail === null ? await getRequestsOf(database, text, { journal }) : [detail]
        if (details.length === 0) {
          const { heldPlaces } = await import('../queries/rows/held-completions.js')
          throw notFound(text, heldPlaces(database, text))
        }
        printAnswer(detail ?? details, flags, () => details.map(formatDetail).join('\n\n'))
      })
    })
}

function notFound(text: string, held: readonly JournalPlace[]): CommandFailure {
  const [first] = held
  if (first === undefined) return new CommandFailure(`Request ${text} not found`)
  const where = `byte ${formatCount(first.byte_offset)} of ${first.segment}`
  return new CommandFailure(
    `Request ${text} not found, only its completion: it is held, from ${where}, because no request_logged with this correlation_id has been projected`,
  )
}

function formatDetail(detail: RequestDetail): string {
  const { tokens, timing, labels } = detail
  const fields: Field[] = [
    ['request', String(detail.id)],
    ['time', `${formatTime(detail.timestamp)} UTC (${detail.timestamp})`],
    ['correlation', detail.correlation_id],
    ['attempt', detail.attempt === null ? UNKNOWN : String(detail.attempt)],
    ['model', detail.model],
    ...field('answered by', detail.response_model),
    ['provider', detail.provider ?? UNKNOWN],
    ...field('service tier', detail.service_tier),
    ['policy', detail.policy ?? UNKNOWN],
    ...field('journal', detail.journal ?? null),
    ['outcome', outcomeText(detail)],
    ['tokens', tokenText(tokens)],
    ...costFields(detail),
    ['latency', formatMs(timing.latency_ms)],
    ['stream', detail.streaming ? formatMs(timing.stream_duration_ms ?? null) : 'no'],
    ...Object.entries(labels ?? {}).map(([name, value]): Field => ['label', `${name} = ${value || '""'}`]),
  ]
  const width = Math.max(...fields.map(([name]) => name.length))
  return [
    ...fields.map(([name, value]) => `${name.padEnd(width)}  ${visible(value)}`),
    '',
    ...lineOf('logged', detail.place, detail.line),
    ...(detail.completed_line === null
      ? []
      : lineOf('completed', detail.completed_place, detail.completed_line)),
  ].join('\n')
}

type Field = [name: string, value: string]

/** A field that most requests don't have. */
function field(name: string, value: string | null): Field[] {
  return value === null ? [] : [[name, value]]
}

const PARTS = {
  cache_read_input: 'read from a cache',
  cache_creation_input: 'written to a cache',
  cache_creation_1h_input: 'written for an hour',
  audio_input: 'of audio in',
  image_input: 'of images in',
  reasoning_output: 'of reasoning',
  audio_output: 'of audio out',
} as const

/** `1,000 in, 200 out; 400 read from a cache` */
function tokenText(tokens: RequestDetail['tokens']): string {
  const names = Object.keys(PARTS) as (keyof typeof PARTS)[]
  const parts = names.flatMap((part) =>
    tokens[part] === null ? [] : [`${formatCount(tokens[part])} ${PARTS[part]}`],
  )
  const whole = `${formatCount(tokens.input)} in, ${formatCount(tokens.output)} out`
  return parts.length === 0 ? whole : `${whole}; ${parts.join(', ')}`
}

/** The costs in each currency that has any, and how they were computed. */
function costFields(detail: RequestDetail): Field[] {
  const { cost_source, price, exchange_rate } = detail
  const costs = CURRENCIES.flatMap((currency): Field[] => {
    const [cost = null, byProvider] = [detail.cost[currency], detail[`provider_cost_${currency}`]]
    if (cost === null && byProvider === null) return []
    const reported = byProvider === null ? '' : `; by the provider ${amountText(currency, byProvider)}`
    return [['cost', `${amountText(currency, cost)}${reported}`]]
  })
  return [
    ...(costs.length === 0 ? [['cost', UNKNOWN] as Field] : costs),
    ...field('cost is', cost_source === null ? null : SOURCES[cost_source]),
    ...(price === null ? [] : productFields(price, detail.cost_parts ?? [], detail.tokens)),
    ...field('price', price === null ? null : priceText(price)),
    ...field('rate', exchange_rate === null ? null : rateText(exchange_rate)),
    ...field('unpriced', detail.unpriced === null ? null : unpricedText(detail.unpriced)),
  ]
}

const SOURCES = {
  logged: 'the figure that was logged',
  provider: 'the provider’s figure',
  price_book: 'usage times the price in force',
}

/** `600 × 2 a million = 0.0012 usd` for each part that has tokens, and the price of a request. */
function productFields(
  { currency, per_request, per_million: prices }: PriceOfRequest,
  parts: readonly CostPart[],
  { cache_read_input: cached }: RequestDetail['tokens'],
): Field[] {
  const isCachedAtFull = (cached ?? 0) > 0 && prices?.cache_read_input === undefined
  const ofTokens = parts.map(({ part, tokens, per_million, cost }): Field => {
    const ofThem = `, ${formatCount(cached)} of them read from a cache, at the price of input`
    const note = part === 'input' && isCachedAtFull ? ofThem : ''
    return [`  ${part}`, `${formatCount(tokens)} × ${per_million} a million = ${cost} ${currency}${note}`]
  })
  return [...ofTokens, ...field('  per request', per_request === null ? null : `${per_request} ${currency}`)]
}

/** `input 2, output 10 usd a million, since 2026-11-01 00:00:00 UTC, from byte 70 of …` */
function priceText({ per_million, per_request, currency, valid_from, ...price }: PriceOfRequest): string {
  const parts = Object.entries(per_million ?? {}).map(([part, text]) => `${part} ${text}`)
  const since = formatInstant(valid_from)
  return [
    ...(parts.length === 0 ? [] : [`${parts.join(', ')} ${currency} a million tokens`]),
    ...(per_request === null ? [] : [`${per_request} ${currency} a request`]),
    `since ${since}${since.endsWith('Z') ? '' : ' UTC'}`,
    `set at byte ${formatCount(price.byte_offset)} of ${price.segment}`,
    ...(price.source === null ? [] : [`from ${price.source}`]),
  ].join(', ')
}

/** `67000.5 usd for a bitcoin, observed at 2026-11-22 09:00:00 UTC, set at byte 70 of …` */
function rateText({ usd_per_btc, observed_at, segment, byte_offset, source }: RateOfRequest): string {
  return [
    `${usd_per_btc} usd for a bitcoin`,
    `observed at ${formatTime(observed_at)} UTC`,
    `set at byte ${formatCount(byte_offset)} of ${segment}`,
    ...(source === null ? [] : [`from ${source}`]),
  ].join(', ')
}

/** `in usd: No exchange rate was observed …; this helps: request-journal rates set …` */
function unpricedText({ currency, text, command }: Unpriced): string {
  return `${currency === 'both' ? '' : `in ${currency}: `}${text}${command === null ? '' : ` This helps: ${command}`}`
}

function lineOf(what: string, place: JournalPlace | null, line: JournalLine): string[] {
  const where =
    place === null
      ? 'nowhere in the journal'
      : `at byte ${formatCount(place.byte_offset)} of ${visible(place.segment)}`
  return [`${what} ${where}:`, line.text === null ? `  ${visible(line.reason)}` : `  ${visible(line.text)}`]
}
