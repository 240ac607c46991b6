import { append } from './append.mjs'

/** In the order of the table. */
export const scenarios = [append]
