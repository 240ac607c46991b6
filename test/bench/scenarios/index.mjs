import { append } from './append.mjs'
import { catchUp } from './catch-up.mjs'
import { durable } from './durable.mjs'
import { processes } from './processes.mjs'
import { replay } from './replay.mjs'
import { visible } from './visible.mjs'

/** In the order of the table. */
export const scenarios = [append, processes, durable, visible, catchUp, replay]
