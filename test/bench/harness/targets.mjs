/** @typedef {import('./statistics.mjs').Summary} Summary */

/**
 * What a scenario promises, as data. Without `against` the limit is in the statistic's own unit; with it, a ratio.
 *
 * @typedef {object} Target
 * @property {string} contender whose statistic it is
 * @property {string} statistic
 * @property {'≤' | '≥'} relation
 * @property {number} limit
 * @property {string} [against] the contender that it is divided by
 * @property {string} [againstStatistic] of that contender, when it is another one than `statistic`
 * @property {{ contender: string, statistic: string }} [plus] what is added to a limit without `against`
 *
 * @typedef {object} Outcome
 * @property {Target} target
 * @property {number | null} value the ratio, or the statistic itself; null when a side was not measured
 * @property {number | null} limit with `plus` added
 * @property {boolean | null} isMet
 */

/**
 * Checks a target by the medians over the rounds.
 *
 * @param {Target} target
 * @param {Record<string, Record<string, Summary>>} summaries by contender and statistic
 * @returns {Outcome}
 */
export function checkTarget(target, summaries) {
  const { contender, statistic, against, againstStatistic = statistic, plus } = target
  const own = summaries[contender]?.[statistic]?.median
  const other = against === undefined ? 1 : summaries[against]?.[againstStatistic]?.median
  const added = plus === undefined ? 0 : summaries[plus.contender]?.[plus.statistic]?.median
  if (own === undefined || other === undefined || added === undefined) {
    return { target, value: null, limit: null, isMet: null }
  }
  const value = own / other
  const limit = target.limit + added
  return { target, value, limit, isMet: target.relation === '≤' ? value <= limit : value >= limit }
}

/**
 * Finds what would otherwise be a target that nobody ever checks: one that names what isn't there.
 *
 * @param {readonly Target[]} targets
 * @param {readonly { name: string, statistics: readonly string[] }[]} contenders
 * @returns {string[]} one sentence for each wrong name
 */
export function wrongNames(targets, contenders) {
  const byName = new Map(contenders.map((contender) => [contender.name, contender.statistics]))
  const pairs = targets.flatMap((target) => [
    [target.contender, target.statistic],
    ...(target.against === undefined ? [] : [[target.against, target.againstStatistic ?? target.statistic]]),
    ...(target.plus === undefined ? [] : [[target.plus.contender, target.plus.statistic]]),
  ])
  return pairs.flatMap(([contender = '', statistic = '']) => {
    const statistics = byName.get(contender)
    if (statistics === undefined)
      return [`a target names the contender ${JSON.stringify(contender)}, which isn't there`]
    return statistics.includes(statistic)
      ? []
      : [`a target names ${contender}'s statistic ${statistic}, which isn't there`]
  })
}
