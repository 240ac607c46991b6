import { append } from './append.mjs'
import { ask } from './ask.mjs'
import { bytes } from './bytes.mjs'
import { catchUp } from './catch-up.mjs'
import { durable } from './durable.mjs'
import { idle } from './idle.mjs'
import { memory } from './memory.mjs'
import { processes } from './processes.mjs'
import { replay } from './replay.mjs'
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
  memory,
  idle,
  startUp,
  bytes,
  ask,
]
