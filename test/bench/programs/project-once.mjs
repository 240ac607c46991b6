// Catches up by the library, in a process of its own.
import { importProjection } from './library.mjs'
import { answer, configuration, leaveOutRollups } from './support.mjs'

const { journal, database, withoutRollups = false } = configuration
if (withoutRollups) await leaveOutRollups()
const { projectOnce } = await importProjection()
const startedAt = performance.now()
const { projected, rejected } = await projectOnce({ journal, database })
answer({ rows: projected, rejected, elapsedMs: performance.now() - startedAt })
