// Rebuilds a database by the library, in a process of its own.
import { importProjection } from './library.mjs'
import { answer, configuration, leaveOutRollups } from './support.mjs'

const { journal, database, withoutRollups = false } = configuration
if (withoutRollups) await leaveOutRollups()
const { replay } = await importProjection()
const startedAt = performance.now()
const { projected, rejected, unchecked } = await replay({ journal, database })
answer({ rows: projected, rejected, unchecked, elapsedMs: performance.now() - startedAt })
