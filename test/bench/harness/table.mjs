import { formatNumber, formatValue } from './format.mjs'

/** What the table takes, in characters: it fits a terminal of 120 columns. */
const WIDTH = 120
const GAP = '  '
const COLUMNS = ['scenario', 'contender', 'statistic', 'median', 'spread', '× floor', 'target', '']

/**
 * @typedef {import('./targets.mjs').Outcome} Outcome
 * @typedef {import('./report.mjs').ScenarioReport} ScenarioReport
 * @typedef {import('./report.mjs').ContenderReport} ContenderReport
 */

/**
 * One table of every scenario, for a terminal. What a contender is stands below it in full.
 *
 * @param {readonly ScenarioReport[]} scenarios
 * @returns {string}
 */
export function terminalTable(scenarios) {
  return alignedTable([[COLUMNS], ...scenarios.map(scenarioRows)])
}

/**
 * Rows in columns, with a rule between one group and the next. The second column gives way where a terminal is narrower.
 *
 * @param {readonly (readonly string[][])[]} groups the first holds the names of the columns
 * @returns {string}
 */
export function alignedTable(groups) {
  const rows = groups.flat()
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => length(row[column]))))
  const excess = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - WIDTH
  if (excess > 0) widths[1] = Math.max(12, Number(widths[1]) - excess)
  const line = (/** @type {readonly string[]} */ row) =>
    row
      .map((cell, column) => cut(cell, Number(widths[column])).padEnd(Number(widths[column])))
      .join(GAP)
      .trimEnd()
  const rule = widths.map((width) => '─'.repeat(width)).join(GAP)
  return `${groups.map((group) => group.map(line).join('\n')).join(`\n${rule}\n`)}\n`
}

/** @param {ScenarioReport} scenario */
function scenarioRows(scenario) {
  const rows = scenario.contenders.flatMap((contender) => contenderRows(scenario, contender))
  if (scenario.error !== undefined)
    rows.push(
      ['', 'failed', '', '', '', '', '', ''],
      ['', scenario.error.split('\n')[0] ?? '', '', '', '', '', '', ''],
    )
  return rows.map((row, index) => [index === 0 ? scenario.name : '', ...row.slice(1)])
}

/**
 * @param {ScenarioReport} scenario
 * @param {ContenderReport} contender
 */
function contenderRows(scenario, contender) {
  if (contender.skipped !== undefined) return [['', contender.name, 'skipped', '', '', '', '', '']]
  if (contender.failure !== undefined) return [['', contender.name, 'failed', '', '', '', '', '']]
  const rows = Object.entries(contender.summaries).flatMap(([name, summary]) => {
    const { label, unit } = statisticOf(scenario, name)
    const outcomes = scenario.outcomes.filter(
      ({ target }) => target.contender === contender.name && target.statistic === name,
    )
    const [first, ...others] = outcomes.map((outcome) => outcomeCells(scenario, outcome))
    const ratio = contender.floorRatios[name]
    const spread = `${formatNumber(summary.min)}–${formatNumber(summary.max)}`
    return [
      [
        '',
        '',
        label,
        formatValue(summary.median, unit),
        spread,
        ratio === undefined ? '' : formatNumber(ratio),
        ...(first ?? ['', '']),
      ],
      ...others.map((cells) => ['', '', '', '', '', '', ...cells]),
    ]
  })
  return rows.map((row, index) => ['', index === 0 ? contender.name : '', ...row.slice(2)])
}

/**
 * @param {ScenarioReport} scenario
 * @param {Outcome} outcome
 * @returns {[string, string]}
 */
function outcomeCells(scenario, outcome) {
  const text = targetText(scenario, outcome)
  if (outcome.isMet === null) return [text, 'not measured']
  const found = outcome.target.against === undefined ? '' : ` ${formatNumber(Number(outcome.value))}`
  return [text, `${outcome.isMet ? 'met' : 'MISSED'}${found}`]
}

/**
 * The target in short: `≤ 1.35 × floor`, `≤ 50 ms + fdatasync p50`.
 *
 * @param {ScenarioReport} scenario
 * @param {Outcome} outcome
 */
export function targetText(scenario, { target }) {
  const { contender, relation, limit, against, plus } = target
  if (against !== undefined) return `${relation} ${limit} × ${withoutSharedSize(against, contender)}`
  const { unit } = statisticOf(scenario, target.statistic)
  return `${relation} ${formatValue(limit, unit)}${plus === undefined ? '' : ` + ${plus.contender}`}`
}

/**
 * `floor, 10 M` seen from `ours, 10 M` is its floor.
 *
 * @param {string} name
 * @param {string} from
 */
function withoutSharedSize(name, from) {
  const comma = name.lastIndexOf(',')
  return comma !== -1 && from.endsWith(name.slice(comma)) ? name.slice(0, comma) : name
}

/**
 * The table of docs/benchmarks.md: one row a contender. A missed target stands out.
 *
 * @param {readonly ScenarioReport[]} scenarios
 * @returns {string}
 */
export function markdownTable(scenarios) {
  const rows = scenarios.flatMap((scenario) => [
    ...scenario.contenders.map((contender, index) => {
      const outcomes = scenario.outcomes.filter(({ target }) => target.contender === contender.name)
      return [
        index === 0 ? scenario.name : '',
        escapeCell(`${contender.name}`),
        escapeCell(whyAbsent(contender) ?? figures(scenario, contender)),
        Object.entries(contender.floorRatios)
          .map(([name, ratio]) => `${statisticOf(scenario, name).label} ${formatNumber(ratio)}`)
          .join('<br>'),
        outcomes.map((outcome) => markdownOutcome(scenario, outcome)).join('<br>'),
      ]
    }),
    ...(scenario.error === undefined
      ? []
      : [[scenario.name, 'failed', escapeCell(scenario.error.split('\n')[0] ?? ''), '', '']]),
  ])
  return markdownRows(['scenario', 'contender', 'median (spread)', '× floor', 'target'], rows)
}

/**
 * @param {readonly string[]} columns
 * @param {readonly (readonly string[])[]} rows of escaped cells
 */
export function markdownRows(columns, rows) {
  const lines = [columns, columns.map(() => '---'), ...rows]
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`
}

/**
 * @param {ScenarioReport} scenario
 * @param {ContenderReport} contender
 */
function figures(scenario, contender) {
  return Object.entries(contender.summaries)
    .map(([name, { median, min, max }]) => {
      const { label, unit } = statisticOf(scenario, name)
      return `${label} ${formatValue(median, unit)} (${formatNumber(min)}–${formatNumber(max)})`
    })
    .join('<br>')
}

/**
 * @param {ScenarioReport} scenario
 * @param {Outcome} outcome
 */
function markdownOutcome(scenario, outcome) {
  const text = `${statisticOf(scenario, outcome.target.statistic).label} ${escapeCell(targetText(scenario, outcome))}`
  if (outcome.isMet === null) return `${text}: not measured`
  const found = outcome.target.against === undefined ? '' : ` (${formatNumber(Number(outcome.value))})`
  return outcome.isMet ? `${text}: met${found}` : `**${text}: missed${found}**`
}

/**
 * What each contender is, for below a table.
 *
 * @param {readonly ScenarioReport[]} scenarios
 * @returns {string}
 */
export function configurations(scenarios) {
  const lines = scenarios.flatMap((scenario) => [
    `${scenario.name}: ${scenario.measures}`,
    ...scenario.contenders.map((contender) => {
      const why = whyAbsent(contender)
      return `  ${contender.name}: ${contender.configuration}${why === null ? '' : ` — ${why}`}`
    }),
    ...(scenario.error === undefined ? [] : [`  failed: ${scenario.error}`]),
  ])
  return `${lines.join('\n')}\n`
}

/** @param {ContenderReport} contender */
function whyAbsent({ skipped, failure }) {
  if (skipped !== undefined) return `skipped: ${skipped}`
  return failure === undefined ? null : `failed: ${failure.split('\n').slice(0, 8).join(' ')}`
}

/**
 * @param {ScenarioReport} scenario
 * @param {string} name
 */
function statisticOf(scenario, name) {
  return scenario.statistics[name] ?? { label: name, unit: '' }
}

/** @param {string | undefined} text */
function length(text = '') {
  return [...text].length
}

/**
 * @param {string} text
 * @param {number} width
 */
function cut(text, width) {
  return length(text) <= width ? text : `${[...text].slice(0, width - 1).join('')}…`
}

/** @param {string} text */
function escapeCell(text) {
  return text.replaceAll('|', '\\|')
}
