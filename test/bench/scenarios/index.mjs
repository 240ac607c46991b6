import { append } from './append.mjs'
import { catchUp } from './catch-up.mjs'
import { replay } from './replay.mjs'

/** In the order of the table. */
export const scenarios = [append, catchUp, replay]
