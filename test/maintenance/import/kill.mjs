// Imports a file and dies without a word after a step.
import { importWith } from '../../../dist/maintenance/import/import.js'

const [journal, file, step, count] = process.argv.slice(2)
let left = Number(count)
await importWith(
  { journal, from: 'litellm', file },
  {
    now: Date.now,
    noticeMs: 1,
    maxParts: 366,
    onStep(done) {
      if (done === step && --left === 0) process.kill(process.pid, 'SIGKILL')
    },
  },
)
