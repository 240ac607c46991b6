import { OWN_CHECKOUT } from './checkouts.mjs'
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
 * @property {readonly string[]} checkouts this one, and the one of `--against`
 * @property {(text: string) => void} progress
 *
 * @typedef {object} Contender
 * @property {string} name
 * @property {import('./report.mjs').ContenderReport['role']} role
 * @property {string} configuration how it is set up, in words
 * @property {string} [floor] the name of the contender that its figures are divided by
 * @property {string[]} statistics what `measure` gives
 * @property {() => Promise<string | null>} [missing] why it can't be measured here
 * @property {string} [checkout] whose program it measures, when it isn't this one's
 * @property {string} [counterpart] the contender that measures the same of this checkout
 * @property {(directory: string, checkout: string) => Promise<Record<string, number>>} measure one round, in an empty folder that goes afterwards
 *
 * @typedef {object} Plan
 * @property {Contender[]} contenders
 * @property {import('./targets.mjs').Target[]} targets
 * @property {number} diskBytes what it takes at its most
 *
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} measures
 * @property {Record<string, import('./report.mjs').Statistic>} statistics
 * @property {{ full: number, quick: number }} rounds
 * @property {boolean} [reachesInside] its programs use modules that aren't entry points, so no other checkout is measured
 * @property {boolean} [warmUp] a round that isn't counted comes first; not where each program warms itself up
 * @property {(context: Context) => Plan} plan only says what will be done
 * @property {(context: Context) => Promise<void>} [prepare] makes what the contenders share
 */

/**
 * Runs a scenario: every contender once a round, in an order that rotates and runs backwards every other round. So a
 * machine that gets slower for a while does so for all of them, and nobody always comes after the same one.
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
    const contenders = scenario.reachesInside
      ? plan.contenders
      : withOthers(plan.contenders, context.checkouts)
    targets = plan.targets
    const wrong = wrongNames(targets, plan.contenders)
    if (wrong.length > 0) throw new Error(wrong.join('; '))
    context.workspace.assertFree(plan.diskBytes)
    measured = await withReasons(contenders)
    await scenario.prepare?.(context)
    const rounds = roundsAsked ?? (context.isQuick ? scenario.rounds.quick : scenario.rounds.full)
    if (scenario.warmUp === true)
      await runRound(contenders, measured, { context, scenario, round: 0, rounds })
    for (let round = 1; round <= rounds; round++) {
      await runRound(contenders, measured, { context, scenario, round, rounds })
    }
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error)
    context.progress(`${scenario.name} failed: ${failure}`)
  }
  return scenarioReport({ ...scenario, error: failure }, measured, targets)
}

/**
 * Beside each contender of ours the same of every other checkout: what the machine does meanwhile, it does to both.
 *
 * @param {readonly Contender[]} contenders
 * @param {readonly string[]} checkouts the first is this one
 * @returns {Contender[]}
 */
export function withOthers(contenders, [, ...others]) {
  return contenders.flatMap((contender) => [
    contender,
    ...(contender.role === 'ours' ? others : []).map((checkout) => ({
      ...contender,
      name: `${contender.name}, other`,
      role: /** @type {const} */ ('other'),
      configuration: `the same, of the program in ${checkout}`,
      checkout,
      counterpart: contender.name,
    })),
  ])
}

/** @param {readonly Contender[]} contenders */
async function withReasons(contenders) {
  const measured = []
  for (const { name, role, configuration, floor, counterpart, missing } of contenders) {
    const skipped = (await missing?.()) ?? null
    measured.push({
      name,
      role,
      configuration,
      ...(floor === undefined ? {} : { floor }),
      ...(counterpart === undefined ? {} : { counterpart }),
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
    const place = (turn + (round >> 1)) % contenders.length
    const index = round % 2 === 0 ? place : contenders.length - 1 - place
    const contender = contenders[index]
    const report = measured[index]
    if (contender === undefined || report === undefined) continue
    if (report.skipped !== undefined || report.failure !== undefined) continue
    context.progress(
      `${scenario.name}: ${round === 0 ? 'warm-up' : `round ${round}/${rounds}`}: ${contender.name}`,
    )
    try {
      const answer = await context.workspace.within((directory) =>
        contender.measure(directory, contender.checkout ?? OWN_CHECKOUT),
      )
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
