import { comparisonsOf } from './comparison.mjs'
import { summarizeRounds } from './statistics.mjs'
import { checkTarget } from './targets.mjs'

/**
 * @typedef {import('./statistics.mjs').Summary} Summary
 * @typedef {import('./targets.mjs').Target} Target
 * @typedef {import('./targets.mjs').Outcome} Outcome
 * @typedef {import('./comparison.mjs').Comparison} Comparison
 *
 * @typedef {object} Statistic
 * @property {string} label
 * @property {string} unit
 * @property {boolean} [isRate] more is better; of all others less is
 * @property {boolean} [isOneCall] the maximum: one call of thousands makes it, so it isn't judged against another checkout's
 *
 * @typedef {object} ContenderReport
 * @property {string} name
 * @property {'ours' | 'other' | 'peer' | 'floor' | 'reference'} role `other`: our program, of another checkout
 * @property {string} configuration
 * @property {string} [floor] the contender that it is compared with
 * @property {string} [counterpart] the contender that measures the same of this checkout
 * @property {string} [skipped] why it was not measured
 * @property {string} [failure] what it threw
 * @property {Record<string, number>[]} rounds
 * @property {Record<string, Summary>} summaries by statistic
 * @property {Record<string, number>} floorRatios by statistic
 *
 * @typedef {object} ScenarioReport
 * @property {string} name
 * @property {string} measures
 * @property {Record<string, Statistic>} statistics
 * @property {ContenderReport[]} contenders
 * @property {Outcome[]} outcomes
 * @property {Comparison[]} comparisons with another checkout
 * @property {string} [error]
 */

/**
 * @typedef {object} MeasuredContender
 * @property {string} name
 * @property {ContenderReport['role']} role
 * @property {string} configuration
 * @property {string} [floor]
 * @property {string} [counterpart]
 * @property {string} [skipped]
 * @property {string} [failure]
 * @property {Record<string, number>[]} rounds
 */

/**
 * Medians, spreads, ratios and targets from what the rounds gave.
 *
 * @param {Pick<ScenarioReport, 'name' | 'measures' | 'statistics'> & { error?: string | undefined }} scenario
 * @param {readonly MeasuredContender[]} measured
 * @param {readonly Target[]} targets
 * @returns {ScenarioReport}
 */
export function scenarioReport({ name, measures, statistics, error }, measured, targets) {
  const summaries = Object.fromEntries(
    measured.map((contender) => [contender.name, summarizeRounds(contender.rounds)]),
  )
  const contenders = measured.map((contender) => ({
    ...contender,
    summaries: summaries[contender.name] ?? {},
    floorRatios: floorRatios(summaries[contender.name] ?? {}, summaries[contender.floor ?? '']),
  }))
  const outcomes = targets.map((target) => checkTarget(target, summaries))
  const comparisons = comparisonsOf(contenders, statistics)
  const failure = error === undefined ? {} : { error }
  return { name, measures, statistics, contenders, outcomes, comparisons, ...failure }
}

/**
 * Whether all went as it should; what was skipped did.
 *
 * @param {ScenarioReport} report
 */
export function isWhole({ error, contenders }) {
  return error === undefined && contenders.every(({ failure }) => failure === undefined)
}

/**
 * @param {Record<string, Summary>} own
 * @param {Record<string, Summary> | undefined} floor
 */
function floorRatios(own, floor) {
  if (floor === undefined) return {}
  return Object.fromEntries(
    Object.entries(own).flatMap(([name, summary]) => {
      const least = floor[name]?.median
      return least === undefined || least === 0 ? [] : [[name, summary.median / least]]
    }),
  )
}
