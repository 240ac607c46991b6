import type { Stats, StatsSection } from '../../queries/sums/stats.js'
import { type Currency, currenciesOf } from '../../queries/window/currency.js'
import { costOf } from './totals.js'

/** The groups of an answer in the order in which people read them. */
export interface ListedGroups {
  /** What the groups are: `model`, `error status`, `team` for the label, `day`. */
  title: string
  /**
   * Hours and days are in their order, others begin with the largest; all that a limit leaves out
   * is last.
   */
  groups: [name: string, section: StatsSection][]
  /** By what the groups are sorted; null if it isn't known. Hours and days have none. */
  weightOf?: (section: StatsSection) => number | null
}

export interface GroupOrder {
  /** What the requests are grouped by: `label:user` titles its groups `user`. */
  groupBy?: string | undefined
  /** What groups are sorted by, and what their shares are shares of. @default 'requests' */
  sort?: 'requests' | 'cost'
  /** The only currency that is shown. @default those that the window has costs in */
  currency?: Currency | undefined
}

/** Lists the groups of an answer; null if it has none. */
export function listGroups(stats: Stats, { groupBy, sort, currency }: GroupOrder): ListedGroups | null {
  if (stats.hours !== undefined) return { title: 'hour', groups: Object.entries(stats.hours) }
  if (stats.days !== undefined) return { title: 'day', groups: Object.entries(stats.days) }
  const named: [string, Record<string, StatsSection> | undefined][] = [
    ['model', stats.models],
    ['provider', stats.providers],
    ['policy', stats.policies],
    ['journal', stats.journals],
    ['tier', stats.tiers],
    ['service tier', stats.service_tiers],
    ['error status', stats.error_statuses],
    [groupBy?.replace(/^label:/, '') ?? 'label', stats.labels],
  ]
  const [title, found] = named.find(([, sections]) => sections !== undefined) ?? []
  if (title === undefined || found === undefined) return null
  const [shown = 'sats'] = currenciesOf(stats, currency)
  const weightOf = (section: StatsSection) =>
    sort === 'cost' ? costOf(section, shown) : section.counts.total
  const groups = Object.entries(found)
    .sort(([, a], [, b]) => (weightOf(b) ?? 0) - (weightOf(a) ?? 0))
    .map(([name, section]): [string, StatsSection] => [
      name === stats.unknown_group ? `(no ${title})` : name,
      section,
    ])
  if (stats.other !== undefined) groups.push(['other', stats.other])
  return { title, groups, weightOf }
}
