// Projects a journal into PostgreSQL, or waits for its turn while a rival does: it never gives up, as a service that is
// started again whenever it ends.
// Usage: rival.mjs JOURNAL DATABASE SCHEMA
import { writeSync } from 'node:fs'
import { startProjector } from '../../../dist/projection/index.js'

const [journal, database, schema] = process.argv.slice(2)
// The timers of a projector don't keep a process alive.
setInterval(() => {}, 2 ** 30)
const say = (error) => writeSync(2, `${error.stack}\n`)
for (;;) {
  try {
    const projector = await startProjector({ journal, database, schema })
    writeSync(1, 'projecting\n')
    await projector.finished
  } catch (error) {
    if (error.code === 'PROJECTOR_RUNNING') continue
    say(error)
    process.exit(1)
  }
}
