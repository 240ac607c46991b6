import { stats } from '../../queries/sums/stats.js'
import type { RequestFilter } from '../../queries/window/filter.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { note } from '../output/standard-error.js'
import { visible } from '../output/terminal.js'

/** How many values of a label are named. */
const NAMED = 5

/**
 * Notes, for each label that matched nothing, the values that it has in the requests of the window
 * that match everything else.
 */
export function noteLabels(database: QueryDatabase, { labels = {}, ...filter }: RequestFilter): void {
  for (const [label, value] of Object.entries(labels)) {
    const { [label]: _, ...others } = labels
    const found = stats(database, { ...filter, labels: others, groupBy: `label:${label}`, limit: NAMED })
    const { unknown_group: none, other } = found
    if (found.counts.total === 0) continue
    const values = Object.keys(found.labels ?? {}).filter((name) => name !== none)
    if (values.length === 0 && other === undefined) noteNoLabel(label)
    else if (!values.includes(value)) {
      const list = `${values.map((name) => name || '""').join(', ')}${other === undefined ? '' : ', …'}`
      const without = none === undefined ? '' : `; --without-label ${label} takes those without one`
      note(visible(`note: in this window the label '${label}' has these values: ${list}${without}`))
    }
  }
}

/** Says that no request of the window has a label. */
export function noteNoLabel(label: string): void {
  const advice = label.includes(',')
    ? ': the comma is part of the name, and docs/asking.md shows how to group by two things'
    : ''
  note(visible(`note: no request in this window has the label '${label}'${advice}`))
}
