import fc from 'fast-check'
import { completionLine, requestLine } from '../../support/lines.js'

const id = fc.constantFrom('a', 'b', 'c')
const tokens = fc.option(fc.integer({ min: 0, max: 50 }), { nil: null })
const request = fc.record({
  policy: fc.constantFrom('chat', null),
  input_tokens: tokens,
  output_tokens: tokens,
  success: fc.boolean(),
})
const completion = fc.record({
  input_tokens: tokens,
  output_tokens: tokens,
  success: fc.option(fc.boolean(), { nil: null }),
})
const text = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(id, request).map(([name, value]) => `${requestLine(name, value)}\n`) },
  {
    weight: 5,
    arbitrary: fc.tuple(id, completion).map(([name, value]) => `${completionLine(name, value)}\n`),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(id, fc.nat(100)).map(([name, cut]) => requestLine(name).slice(0, cut + 1)),
  },
  { weight: 1, arbitrary: id.map((name) => requestLine(name)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\n', 'garbage\n', '{"model":"m","latency_ms":1,"success":true}\n'),
  },
)
const project = fc.constant('project' as const)
const rebuild = fc.constant('replay' as const)
const newSegment = fc.constant('new segment' as const)
const late = text.map((bytes) => ({ late: bytes }))
/** What is appended to a journal, and done with it meanwhile. */
export const inOrder = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: text },
    { weight: 2, arbitrary: project },
    { weight: 1, arbitrary: newSegment },
  ),
  { maxLength: 40 },
)
/** The same, with lines that come late and replays. */
export const withLateLines = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: inOrder },
    { weight: 2, arbitrary: fc.tuple(late) },
    { weight: 1, arbitrary: fc.tuple(rebuild) },
  ),
  {
    maxLength: 6,
  },
)
export type Step = string | { late: string }
