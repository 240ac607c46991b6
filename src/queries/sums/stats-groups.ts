import type { QueryDatabase } from '../../store/query-database.js'
import { groupHint, MAX_GROUPS, QueryError } from '../errors.js'
import type { Period } from '../window/terms.js'
import {
  allModels,
  type Grouping,
  groupByErrorStatus,
  groupByJournal,
  groupByLabel,
  groupByName,
  groupByPolicy,
  groupByServiceTier,
} from './grouping.js'

/** What requests can be grouped by, other than time. */
export type SeriesBy =
  | 'model'
  | 'tier'
  | 'provider'
  | 'policy'
  | 'service_tier'
  | 'error_status'
  | 'journal'
  | `label:${string}`

export type StatsGroupBy = SeriesBy | 'hour' | 'day'

/** The member of an answer that holds its groups. */
export type GroupSection =
  | 'models'
  | 'tiers'
  | 'providers'
  | 'policies'
  | 'service_tiers'
  | 'error_statuses'
  | 'journals'
  | 'hours'
  | 'days'
  | 'labels'

/** How an answer is cut into groups. */
export interface Groups {
  section: GroupSection
  grouping?: Grouping
  period?: Period
  /**
   * Lists the groups that are shown even without requests. They come before the others.
   * @throws QueryError TOO_MANY_GROUPS
   */
  always?(): readonly string[]
}

const LABEL_PREFIX = 'label:'
const LABEL_NAME = `${LABEL_PREFIX}<name>`

/** The tiers of the arbstr gateway, whose API this one keeps. */
const TIERS = ['local', 'standard', 'frontier']

const GROUPS: Readonly<Record<string, (database: QueryDatabase) => Groups>> = {
  model: (database) => ({
    section: 'models',
    grouping: groupByName(database, 'model'),
    always: () => allModels(database, MAX_GROUPS),
  }),
  tier: (database) => ({ section: 'tiers', grouping: groupByLabel(database, 'tier'), always: () => TIERS }),
  provider: (database) => ({ section: 'providers', grouping: groupByName(database, 'provider') }),
  policy: () => ({ section: 'policies', grouping: groupByPolicy }),
  service_tier: () => ({ section: 'service_tiers', grouping: groupByServiceTier }),
  error_status: () => ({ section: 'error_statuses', grouping: groupByErrorStatus }),
  journal: (database) => ({ section: 'journals', grouping: groupByJournal(database) }),
  hour: () => ({ section: 'hours', period: 'hour' }),
  day: () => ({ section: 'days', period: 'day' }),
}

/** Returns the groups that a value of group_by asks for. @throws QueryError INVALID_GROUP_BY */
export function groupsFor(database: QueryDatabase, groupBy: string): Groups {
  const groups = groupsNamed(database, groupBy)
  if (groups !== null) return groups
  const supported = [...Object.keys(GROUPS), LABEL_NAME].map((name) => `'${name}'`).join(', ')
  const hint = groupHint(groupBy, Object.keys(GROUPS))
  throw new QueryError('INVALID_GROUP_BY', `Invalid group_by value. Supported: ${supported}${hint}`)
}

/** Returns the grouping that a series' `by` asks for. @throws QueryError INVALID_BY */
export function groupingFor(database: QueryDatabase, by: string): Grouping {
  const grouping = groupsNamed(database, by)?.grouping
  if (grouping !== undefined) return grouping
  const options = Object.keys(GROUPS).filter((name) => GROUPS[name]?.(database).grouping !== undefined)
  const hint = Object.hasOwn(GROUPS, by) ? '' : groupHint(by, options)
  throw new QueryError(
    'INVALID_BY',
    `Invalid by '${by}'. Valid options: ${[...options, LABEL_NAME].join(', ')}${hint}`,
  )
}

function groupsNamed(database: QueryDatabase, name: string): Groups | null {
  const groups = Object.hasOwn(GROUPS, name) ? GROUPS[name] : undefined
  if (groups !== undefined) return groups(database)
  const label = name.slice(LABEL_PREFIX.length)
  if (!name.startsWith(LABEL_PREFIX) || label === '') return null
  return { section: 'labels', grouping: groupByLabel(database, label) }
}
