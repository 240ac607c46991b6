import { append } from './append.mjs'
import { ask } from './ask.mjs'
import { bytes } from './bytes.mjs'
import { catchUp } from './catch-up.mjs'
import { clients } from './clients.mjs'
import { dashboard } from './dashboard.mjs'
import { durable } from './durable.mjs'
import { fleet } from './fleet.mjs'
import { idle } from './idle.mjs'
import { load } from './load.mjs'
import { memory } from './memory.mjs'
import { processes } from './processes.mjs'
import { replay } from './replay.mjs'
import { reprice } from './reprice.mjs'
import { rollups } from './rollups.mjs'
import { startUp } from './start-up.mjs'
import { visible } from './visible.mjs'

/** In the order of the table. */
export const scenarios = [
  append,
  processes,
  durable,
  visible,
  catchUp,
  replay,
  rollups,
  reprice,
  memory,
  idle,
  startUp,
  bytes,
  ask,
  load,
  dashboard,
  clients,
  fleet,
]
