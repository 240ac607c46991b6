import type { Database } from '../../store/sqlite/connection/database.js'
import { MAX_GROUPS, QueryError } from '../errors.js'
import type { Period } from '../window/terms.js'
import { allModels, type Grouping, groupByLabel, groupByName, groupByPolicy } from './grouping.js'

export type StatsGroupBy = 'model' | 'tier' | 'provider' | 'policy' | 'hour' | 'day' | `label:${string}`

/** The member of an answer that has its groups. */
export type GroupSection = 'models' | 'tiers' | 'providers' | 'policies' | 'hours' | 'days' | 'labels'

/** How an answer is cut into groups. */
export interface Groups {
  section: GroupSection
  grouping?: Grouping
  period?: Period
  /**
   * Lists the groups that are there also without requests, before the others.
   * @throws QueryError TOO_MANY_GROUPS
   */
  always?(): readonly string[]
}

const LABEL_PREFIX = 'label:'

/** The tiers of the gateway whose log this began as. */
const TIERS = ['local', 'standard', 'frontier']

const GROUPS: Readonly<Record<string, (database: Database) => Groups>> = {
  model: (database) => ({
    section: 'models',
    grouping: groupByName('model'),
    always: () => allModels(database, MAX_GROUPS),
  }),
  tier: (database) => ({ section: 'tiers', grouping: groupByLabel(database, 'tier'), always: () => TIERS }),
  provider: () => ({ section: 'providers', grouping: groupByName('provider') }),
  policy: () => ({ section: 'policies', grouping: groupByPolicy }),
  hour: () => ({ section: 'hours', period: 'hour' }),
  day: () => ({ section: 'days', period: 'day' }),
}

/**
 * The groups that a value of group_by asks for.
 *
 * @throws QueryError INVALID_GROUP_BY
 */
export function groupsFor(database: Database, groupBy: string): Groups {
  const groups = Object.hasOwn(GROUPS, groupBy) ? GROUPS[groupBy] : undefined
  if (groups !== undefined) return groups(database)
  const label = groupBy.slice(LABEL_PREFIX.length)
  if (groupBy.startsWith(LABEL_PREFIX) && label !== '') {
    return { section: 'labels', grouping: groupByLabel(database, label) }
  }
  const supported = [...Object.keys(GROUPS), `${LABEL_PREFIX}<name>`].map((name) => `'${name}'`).join(', ')
  throw new QueryError('INVALID_GROUP_BY', `Invalid group_by value. Supported: ${supported}`)
}
