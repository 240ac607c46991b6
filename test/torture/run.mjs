// npm run test:torture [-- --minutes 10] [--seed N] [--only NAME,NAME] [--markdown] [--list]
// Runs every fault class in turn until the time is over, and prints fault by fault what was tried and survived.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const USAGE =
  'Usage: npm run test:torture -- [--minutes 10] [--seed N] [--only NAME,NAME] [--markdown] [--list]\n'

function options() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      only: { type: 'string', default: '' },
      markdown: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (!(Number(values.minutes) > 0))
    throw new Error(`--minutes: found ${values.minutes}, expected a number > 0`)
  if (!/^\d{1,10}$/.test(values.seed))
    throw new Error(`--seed: found ${values.seed}, expected a whole number`)
  return values
}

let values
try {
  values = options()
} catch (error) {
  process.stderr.write(`${error.message}\n${USAGE}`)
  process.exit(2)
}
if (values.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}
const root = fileURLToPath(new URL('../..', import.meta.url))
// vitest loads TypeScript on every Node that is supported, builds dist first, and has no limit of time here.
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url))
const { status } = spawnSync(process.execPath, [vitest, 'run', '--config', 'vitest.torture.config.ts'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, TORTURE: JSON.stringify(values) },
})
process.exit(status ?? 1)
