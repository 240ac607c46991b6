import { formatNumber, formatValue } from './format.mjs'
import { alignedTable, markdownRows } from './table.mjs'

/** How far below the other checkout's a figure may be before it is worse. */
const LEAST = 0.95

/**
 * @typedef {import('./report.mjs').ScenarioReport} ScenarioReport
 *
 * @typedef {object} Comparison of one figure of this checkout with the other's
 * @property {string} contender
 * @property {string} statistic
 * @property {number} own the median over the rounds
 * @property {number} other likewise
 * @property {number} ratio own / other
 * @property {boolean} isWorse than 0.95 of the other's; never for the maximum of a single call
 */

/**
 * Each figure of this checkout beside the other's, where both were measured.
 *
 * @param {readonly import('./report.mjs').ContenderReport[]} contenders
 * @param {ScenarioReport['statistics']} statistics
 * @returns {Comparison[]}
 */
export function comparisonsOf(contenders, statistics) {
  const byName = new Map(contenders.map((contender) => [contender.name, contender]))
  return contenders.flatMap(({ counterpart, summaries }) =>
    Object.entries(byName.get(counterpart ?? '')?.summaries ?? {}).flatMap(([statistic, { median: own }]) => {
      const other = summaries[statistic]?.median
      if (counterpart === undefined || other === undefined) return []
      // Two that are both 0 are the same.
      const ratio = own === other ? 1 : own / other
      const { isRate = false, isOneCall = false } = statistics[statistic] ?? {}
      const isWorse = !isOneCall && (isRate ? ratio < LEAST : ratio > 1 / LEAST)
      return [{ contender: counterpart, statistic, own, other, ratio, isWorse }]
    }),
  )
}

/**
 * @param {readonly ScenarioReport[]} reports
 * @param {boolean} isMarkdown
 * @returns {string}
 */
export function comparisonTable(reports, isMarkdown) {
  const rows = reports.flatMap((report) =>
    report.comparisons.map(({ contender, statistic, own, other, ratio, isWorse }, index) => {
      const { label, unit } = report.statistics[statistic] ?? { label: statistic, unit: '' }
      return [
        index === 0 ? report.name : '',
        contender,
        label,
        formatValue(own, unit),
        formatValue(other, unit),
        formatNumber(ratio),
        isWorse ? 'WORSE' : '',
      ]
    }),
  )
  const columns = ['scenario', 'contender', 'statistic', 'this', 'other', 'this / other', '']
  return isMarkdown ? markdownRows(columns, rows) : alignedTable([[columns], rows])
}

/**
 * A line for each figure that is worse than 0.95 of the other checkout's.
 *
 * @param {readonly ScenarioReport[]} reports
 * @returns {string[]}
 */
export function worseFigures(reports) {
  return reports.flatMap(({ name, comparisons, statistics }) =>
    comparisons.flatMap(({ contender, statistic, own, other, ratio, isWorse }) => {
      if (!isWorse) return []
      const { label, unit } = statistics[statistic] ?? { label: statistic, unit: '' }
      const [found, expected] = [own, other].map((value) => formatValue(value, unit))
      return [`${name}: ${contender}: ${label} ${found}, the other ${expected}: ${formatNumber(ratio)}`]
    }),
  )
}
