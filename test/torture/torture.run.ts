import { writeSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { expect, test } from 'vitest'
import { type Fault, Round } from './fault.js'
import { FAULTS } from './faults.js'
import { type TableRow, table } from './table.js'

interface Options {
  minutes: string
  seed: string
  only: string
  markdown: boolean
  list: boolean
}

const options = JSON.parse(process.env['TORTURE'] ?? '{"minutes":"1","seed":"1","only":""}') as Options

/** Between two printings of the whole table. */
const TABLE_EVERY_MS = 60_000

test('every fault class in turn', async () => {
  if (options.list) {
    const long = ({ isLong }: Fault) => (isLong === true ? ' (long: only if it is named)' : '')
    say(FAULTS.map((fault) => `${fault.name}: ${fault.title}${long(fault)}`).join('\n'))
    return
  }
  const faults = chosen()
  const seed = Number(options.seed)
  say(
    `seed ${seed}, ${options.minutes} minutes, Node ${process.version}, ${cpus().length} cores, ${release()}`,
  )
  const rows = new Map(faults.map((fault) => [fault.name, emptyRow(fault)]))
  const endAt = performance.now() + Number(options.minutes) * 60_000
  let tableAt = performance.now() + TABLE_EVERY_MS
  let failures = 0
  // Every class at least once, however short the time.
  for (let turn = 0; turn === 0 || performance.now() < endAt; turn++) {
    for (const fault of faults) {
      if (turn > 0 && performance.now() >= endAt) break
      const row = rows.get(fault.name)
      if (row === undefined || row.skipped !== null) continue
      const round = new Round(seed + turn, turn === 0 ? 'exhaustive' : 'full')
      const startedAt = performance.now()
      await fault.run(round)
      for (const key of ['tried', 'survived', 'lost', 'doubled', 'wrong'] as const)
        row[key] += round.tally[key]
      const { tried, survived } = round.tally
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
      say(
        `${survived === tried ? 'ok  ' : 'FAIL'} ${fault.name}: ${survived} of ${tried} survived (${seconds} s)`,
      )
      const again = `--seed ${seed + turn} --only ${fault.name}`
      for (const figure of round.figures) say(`     ${figure}`)
      for (const finding of round.findings.slice(0, 10)) say(`     ${finding}`)
      if (round.findings.length > 0) say(`     again: npm run test:torture -- ${again} --minutes 0.01`)
      failures += tried - survived
    }
    if (performance.now() >= tableAt) {
      say(`\n${table([...rows.values()], false)}\n`)
      tableAt = performance.now() + TABLE_EVERY_MS
    }
  }
  say(`\n${table([...rows.values()], options.markdown)}\n`)
  expect(failures, 'faults that were not survived').toBe(0)
})

function chosen(): Fault[] {
  if (options.only === '') return FAULTS.filter(({ isLong }) => isLong !== true)
  const names = options.only.split(',')
  const unknown = names.filter((name) => !FAULTS.some((fault) => fault.name === name))
  if (unknown.length > 0) throw new Error(`no such fault: ${unknown.join(', ')}; see --list`)
  return FAULTS.filter(({ name }) => names.includes(name))
}

function emptyRow(fault: Fault): TableRow {
  const skipped = fault.whyNot?.() ?? null
  return { title: fault.title, skipped, tried: 0, survived: 0, lost: 0, doubled: 0, wrong: 0 }
}

/** Straight to the terminal: vitest would hold it back until the end. */
function say(text: string): void {
  writeSync(1, `${text}\n`)
}
