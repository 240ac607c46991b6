// npm run bench [-- --scenario NAME --events N --quick …]: how fast it is beside what else could be used, and beside the
// least that any program would have to do. See --help.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OWN_CHECKOUT } from './harness/checkouts.mjs'
import { comparisonTable, worseFigures } from './harness/comparison.mjs'
import { Journals } from './harness/journals.mjs'
import { describeMachine, describeVersions } from './harness/machine.mjs'
import { readOptions, USAGE, UsageError } from './harness/options.mjs'
import { endProcesses, killAll } from './harness/processes.mjs'
import { isWhole } from './harness/report.mjs'
import { runScenario } from './harness/rounds.mjs'
import { configurations, markdownTable, terminalTable } from './harness/table.mjs'
import { Workspace } from './harness/workspace.mjs'
import { scenarios } from './scenarios/index.mjs'

const options = optionsOrExit()
if (options.isHelp) {
  process.stdout.write(USAGE)
} else if (options.isList) {
  for (const { name, measures } of scenarios) process.stdout.write(`${name.padEnd(12)} ${measures}\n`)
} else {
  await bench()
}

function optionsOrExit() {
  try {
    return readOptions(
      process.argv.slice(2),
      scenarios.map((scenario) => scenario.name),
    )
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${error.message}\n\n${USAGE}`)
    return process.exit(2)
  }
}

async function bench() {
  const startedAt = performance.now()
  const date = new Date().toISOString()
  const workspace = new Workspace(options.directory)
  endOnSignals(workspace)
  const progress = (/** @type {string} */ text) => {
    const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1)
    process.stderr.write(`${minutes.padStart(6)} min  ${text}\n`)
  }
  const { events, isQuick, seed, rounds, against } = options
  const checkouts = [OWN_CHECKOUT, ...(against === null ? [] : [against])]
  const journals = new Journals(workspace, seed, progress)
  const context = { workspace, journals, events, isQuick, seed, checkouts, progress }
  const reports = []
  const machine = describeMachine(workspace.directory)
  try {
    for (const scenario of scenarios.filter(({ name }) => options.scenarios.includes(name))) {
      reports.push(await runScenario(scenario, context, rounds))
      // A contender that failed may have left one.
      await killAll()
    }
  } finally {
    await killAll()
    workspace.remove()
  }
  // After the run, which may have installed some.
  const versions = describeVersions(checkouts)
  const file =
    options.json ?? fileURLToPath(new URL(`results/${date.replaceAll(':', '-')}.json`, import.meta.url))
  mkdirSync(dirname(file), { recursive: true })
  const result = { date, quick: isQuick, events, seed, machine, versions, scenarios: reports }
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
  const where = `${date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, ${machine.file_system}, Node ${machine.node}, SQLite ${versions.sqlite}`
  process.stdout.write(`\n${where}${isQuick ? '; --quick: the sizes are not those of the targets' : ''}\n\n`)
  process.stdout.write(options.isMarkdown ? markdownTable(reports) : terminalTable(reports))
  process.stdout.write(`\n${configurations(reports)}\nAll rounds: ${file}\n`)
  const worse = worseFigures(reports)
  if (against !== null) {
    process.stdout.write(`\nThis checkout, and the other one: ${against}\n\n`)
    process.stdout.write(comparisonTable(reports, options.isMarkdown))
    process.stdout.write(`\n${worse.length} worse than 0.95 of the other's\n`)
    for (const line of worse) process.stdout.write(`  ${line}\n`)
  }
  if (worse.length > 0 || !reports.every(isWhole)) process.exitCode = 1
}

/** @param {Workspace} workspace */
function endOnSignals(workspace) {
  for (const [signal, code] of /** @type {const} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])) {
    process.once(signal, async () => {
      process.stderr.write(`\n${signal}: ending the processes and removing ${workspace.directory}\n`)
      await endProcesses()
      workspace.remove()
      process.exit(code)
    })
  }
}
