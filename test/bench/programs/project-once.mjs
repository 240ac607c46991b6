// Catches up by the library, in a process of its own.
import { projectOnce } from 'request-journal/projection'
import { answer, configuration, leaveOutRollups } from './support.mjs'

const { journal, database, withoutRollups = false } = configuration
if (withoutRollups) await leaveOutRollups()
const startedAt = performance.now()
const { projected, rejected } = await projectOnce({ journal, database })
answer({ rows: projected, rejected, elapsedMs: performance.now() - startedAt })
