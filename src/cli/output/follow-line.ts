import type { styleText } from 'node:util'
import type { RequestEntry } from '../../queries/rows/request-entry.js'
import type { Currency } from '../../queries/window/currency.js'
import { TimeZone } from '../../queries/window/time-zone.js'
import { amountText } from './amounts.js'
import { formatCount, formatLocalTime, formatMs, UNKNOWN } from './format.js'
import { outcomeText, retryNotes } from './request-table.js'
import { cutToWidth, displayWidth, padEnd, visible } from './terminal.js'

type Style = Parameters<typeof styleText>[0]

/** A part of a line, with the style that a terminal shows it in. */
export type StyledPart = [style: Style, text: string]

/** How many columns a page needs to show each part: on a narrower one, the line would wrap. */
const ROOM = { provider: 94, tokens: 81, cost: 64, longNames: 47 }

const MARKS = { ok: '✓', failed: '✗', open: '▸', ended: '■' }

/** What the marks mean. */
export const LEGEND = `${MARKS.ok} ok  ${MARKS.failed} failed  ${MARKS.open} open  ${MARKS.ended} ended stream, latency to its first byte`

/** The texts of the columns before the outcome, in their order. */
interface Cells {
  time: string
  mark: string
  model: string
  provider: string
  tokens: string
  cost: string
  latency: string
}

/** Formats the line above the columns, for a page of this width. */
export function formatHeader(currencies: readonly Currency[], width: number, zone = TimeZone.UTC): string {
  const cells: Cells = {
    time: zone === TimeZone.UTC ? 'time UTC' : 'time',
    mark: ' ',
    model: 'model',
    provider: 'provider',
    tokens: 'in → out',
    cost: currencies.length > 1 ? 'cost' : (currencies[0] ?? 'cost'),
    latency: 'latency',
  }
  const parts = columnsOf(cells, ['reset', 'reset'], width).map(([, text]) => text)
  return cutToWidth([...parts, 'outcome'].join(' '), width)
}

/**
 * Formats one line of fixed columns, as many as there is room for. The message of a failure comes
 * last, and runs past the edge of the page rather than being cut.
 */
export function formatFollowed(
  entry: RequestEntry,
  currencies: readonly Currency[],
  width: number,
  zone = TimeZone.UTC,
): StyledPart[] {
  const { success, tokens, timing } = entry
  const end = visible(outcomeText(entry, [...retryNotes(entry), ...streamNotes(entry)]))
  const cells: Cells = {
    time: formatLocalTime(entry.timestamp, zone).slice(11),
    mark: markOf(entry),
    model: visible(entry.model),
    provider: visible(entry.provider ?? UNKNOWN),
    tokens: `${formatCount(tokens.input)} → ${formatCount(tokens.output)}`,
    cost: costText(entry, currencies),
    latency: formatMs(timing.latency_ms),
  }
  const parts = columnsOf(cells, [success ? 'green' : 'red', 'bold'], width)
  const columns = parts.reduce((sum, [, text]) => sum + displayWidth(text) + 1, 0)
  // The mark shows this already.
  const isMarked = end === 'ok' || (end === 'open' && columns + end.length > width)
  return isMarked ? parts : [...parts, [success ? 'yellow' : 'red', end]]
}

function markOf({ success, state, streaming }: RequestEntry): string {
  if (!success) return MARKS.failed
  if (state !== 'finished') return MARKS.open
  return streaming ? MARKS.ended : MARKS.ok
}

/** `stream 1,002 ms`: how long a stream ran after its first byte, where its latency ends. */
function streamNotes({ timing: { stream_duration_ms: duration } }: RequestEntry): string[] {
  return duration === undefined ? [] : [`stream ${formatMs(duration)}`]
}

/** Returns the columns that a page of this width has room for. */
function columnsOf(cells: Cells, [markStyle, nameStyle]: [Style, Style], width: number): StyledPart[] {
  const padded = (text: string, columns: number) =>
    padEnd(Number.isFinite(width) ? cutToWidth(text, columns) : text, columns)
  const parts: StyledPart[] = [
    ['gray', cells.time.padEnd(8)],
    [markStyle, cells.mark],
    [nameStyle, padded(cells.model, width < ROOM.longNames ? 12 : 24)],
  ]
  if (width >= ROOM.provider) parts.push(['cyan', padded(cells.provider, 12)])
  if (width >= ROOM.tokens) parts.push(['reset', cells.tokens.padStart(16)])
  if (width >= ROOM.cost) parts.push(['yellow', cells.cost.padStart(16)])
  return [...parts, ['reset', cells.latency.padStart(9)]]
}

/** The cost in the first of these currencies in which it is known. */
function costText({ cost }: RequestEntry, currencies: readonly Currency[]): string {
  const known = currencies.find((currency) => typeof cost[currency] === 'number')
  return known === undefined ? UNKNOWN : amountText(known, cost[known] ?? null)
}
