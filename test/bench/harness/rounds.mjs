import { killAll } from './processes.mjs'
import { scenarioReport } from './report.mjs'
import { wrongNames } from './targets.mjs'

/**
 * @typedef {object} Context what a scenario is given
 * @property {import('./workspace.mjs').Workspace} workspace
 * @property {import('./journals.mjs').Journals} journals
 * @property {number | null} events of `--events`; null: the scenario's own number
 * @property {boolean} isQuick
 * @property {number} seed
 * @property {(text: string) => void} progress
 *
 * @typedef {object} Contender
 * @property {string} name
 * @property {import('./report.mjs').ContenderReport['role']} role
 * @property {string} configuration how it is set up, in words
 * @property {string} [floor] the name of the contender that its figures are divided by
 * @property {string[]} statistics what `measure` gives
 * @property {() => Promise<string | null>} [missing] why it can't be measured here
 * @property {(directory: string) => Promise<Record<string, number>>} measure one round, in an empty folder that goes afterwards
 *
 * @typedef {object} Plan
 * @property {Contender[]} contenders
 * @property {import('./targets.mjs').Target[]} targets
 * @property {number} diskBytes what it takes at its most
 *
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} measures
 * @property {Record<string, { label: string, unit: string }>} statistics
 * @property {{ full: number, quick: number }} rounds
 * @property {boolean} [warmUp] a round that isn't counted comes first; not where each program warms itself up
 * @property {(context: Context) => Plan} plan only says what will be done
 * @property {(context: Context) => Promise<void>} [prepare] makes what the contenders share
 */

/**
 * Runs a scenario: every contender once a round, in an order that rotates, so that a machine that gets slower for a
 * while does so for all of them.
 *
 * @param {Scenario} scenario
 * @param {Context} context
 * @param {number | null} roundsAsked
 * @returns {Promise<import('./report.mjs').ScenarioReport>}
 */
export async function runScenario(scenario, context, roundsAsked) {
  /** @type {import('./report.mjs').MeasuredContender[]} */
  let measured = []
  /** @type {import('./targets.mjs').Target[]} */
  let targets = []
  let failure
  try {
    const plan = scenario.plan(context)
    targets = plan.targets
    const wrong = wrongNames(targets, plan.contenders)
    if (wrong.length > 0) throw new Error(wrong.join('; '))
    context.workspace.assertFree(plan.diskBytes)
    measured = await withReasons(plan.contenders)
    await scenario.prepare?.(context)
    const rounds = roundsAsked ?? (context.isQuick ? scenario.rounds.quick : scenario.rounds.full)
    if (scenario.warmUp === true)
      await runRound(plan.contenders, measured, { context, scenario, round: 0, rounds })
    for (let round = 1; round <= rounds; round++) {
      await runRound(plan.contenders, measured, { context, scenario, round, rounds })
    }
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error)
    context.progress(`${scenario.name} failed: ${failure}`)
  }
  return scenarioReport({ ...scenario, error: failure }, measured, targets)
}

/** @param {readonly Contender[]} contenders */
async function withReasons(contenders) {
  const measured = []
  for (const { name, role, configuration, floor, missing } of contenders) {
    const skipped = (await missing?.()) ?? null
    measured.push({
      name,
      role,
      configuration,
      ...(floor === undefined ? {} : { floor }),
      ...(skipped === null ? {} : { skipped }),
      rounds: /** @type {Record<string, number>[]} */ ([]),
    })
  }
  return measured
}

/**
 * @param {readonly Contender[]} contenders
 * @param {import('./report.mjs').MeasuredContender[]} measured in the same order
 * @param {{ context: Context, scenario: Scenario, round: number, rounds: number }} place round 0 warms up
 */
async function runRound(contenders, measured, { context, scenario, round, rounds }) {
  for (let turn = 0; turn < contenders.length; turn++) {
    const index = (turn + round) % contenders.length
    const contender = contenders[index]
    const report = measured[index]
    if (contender === undefined || report === undefined) continue
    if (report.skipped !== undefined || report.failure !== undefined) continue
    context.progress(
      `${scenario.name}: ${round === 0 ? 'warm-up' : `round ${round}/${rounds}`}: ${contender.name}`,
    )
    try {
      const answer = await context.workspace.within((directory) => contender.measure(directory))
      // A program may measure more than this scenario is about.
      const statistics = Object.fromEntries(
        Object.entries(answer).filter(([name]) => contender.statistics.includes(name)),
      )
      if (round > 0) report.rounds.push(statistics)
    } catch (error) {
      // The others go on: a peer that falls over must not take our figures with it. Its own would be of fewer rounds.
      report.failure = error instanceof Error ? error.message : String(error)
      report.rounds = []
      context.progress(`${scenario.name}: ${contender.name} failed: ${report.failure}`)
      await killAll()
    }
  }
}
