import type { Stats, StatsSection } from '../queries/stats.js'
import { BEGINNING_OF_TIME, END_OF_TIME } from '../queries/window.js'
import { formatCount, formatMs, formatSats, formatShare, formatTime, UNKNOWN } from './format.js'
import { type Column, formatTable } from './table.js'

/** Stats for people: totals, and the groups as a table, those with most requests first. */
export function formatStats(stats: Stats, width: number): string {
  const { counts, costs } = stats
  const lines = [
    `window    ${formatWindow(stats)}`,
    `requests  ${formatCount(counts.total)}`,
    `failed    ${formatCount(counts.error)} (${formatShare(counts.error, counts.total)})`,
    `streaming ${formatCount(counts.streaming)}`,
    `cost      ${formatSats(costs.total_cost_sats)} sats`,
    `tokens    ${formatCount(costs.total_input_tokens)} in, ${formatCount(costs.total_output_tokens)} out`,
    `latency   ${formatLatency(stats)} on average`,
  ]
  if (stats.message !== undefined) lines.push('', stats.message)
  if (stats.models !== undefined && Object.keys(stats.models).length > 0) {
    lines.push('', formatGroups('model', stats.models, width))
  }
  return lines.join('\n')
}

function formatWindow({ since, until }: Stats): string {
  const from = since === BEGINNING_OF_TIME ? '' : `since ${formatTime(since)} UTC`
  const to = until === END_OF_TIME ? '' : `until ${formatTime(until)} UTC`
  return [from, to].filter((end) => end !== '').join(' ') || 'all time'
}

function formatGroups(title: string, groups: Record<string, StatsSection>, width: number): string {
  const columns: Column[] = [
    { title, shrinksTo: 12 },
    { title: 'requests', align: 'right' },
    { title: 'failed', align: 'right' },
    { title: 'streaming', align: 'right' },
    { title: 'tokens in', align: 'right' },
    { title: 'tokens out', align: 'right' },
    { title: 'cost (sats)', align: 'right' },
    { title: 'avg latency', align: 'right' },
  ]
  const rows = Object.entries(groups)
    .sort(([, a], [, b]) => b.counts.total - a.counts.total)
    .map(([name, section]) => [
      name,
      formatCount(section.counts.total),
      formatCount(section.counts.error),
      formatCount(section.counts.streaming),
      formatCount(section.costs.total_input_tokens),
      formatCount(section.costs.total_output_tokens),
      formatSats(section.costs.total_cost_sats),
      formatLatency(section),
    ])
  return formatTable(columns, rows, width)
}

function formatLatency({ counts, performance }: StatsSection): string {
  return counts.total === 0 ? UNKNOWN : formatMs(performance.avg_latency_ms)
}
