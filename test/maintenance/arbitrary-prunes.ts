import fc from 'fast-check'
import { completionLine, requestLine } from '../support/lines.js'

const id = fc.constantFrom('a', 'b')
const attempt = fc.constantFrom(undefined, undefined, 0, 1)
const tokens = fc.option(fc.nat(50), { nil: null })
const request = fc
  .tuple(id, fc.record({ attempt, streaming: fc.boolean(), success: fc.boolean(), input_tokens: tokens }))
  .map(([name, fields]) => `${requestLine(name, { policy: 'chat', output_tokens: 5, ...fields })}\n`)
const completion = fc
  .tuple(
    id,
    fc.record({
      attempt,
      success: fc.option(fc.boolean(), { nil: null }),
      input_tokens: tokens,
      output_tokens: tokens,
    }),
  )
  .map(([name, fields]) => `${completionLine(name, fields)}\n`)
const text = fc.oneof({ weight: 2, arbitrary: request }, { weight: 3, arbitrary: completion })
/** What is appended to a journal, and done with it meanwhile. */
export const inOrder = fc.oneof(
  { weight: 8, arbitrary: text },
  { weight: 1, arbitrary: fc.constant('project' as const) },
  { weight: 2, arbitrary: fc.constant('new segment' as const) },
  { weight: 1, arbitrary: fc.nat(9).map((before) => ({ before })) },
)
/** The same, with lines that come late. */
export const anyOrder = fc.oneof(
  { weight: 6, arbitrary: inOrder },
  { weight: 1, arbitrary: text.map((late) => ({ late })) },
)
export type PruneSteps = readonly (string | { before: number } | { late: string })[]
