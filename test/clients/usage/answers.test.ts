import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../../support/runs.js'
import { ANTHROPIC } from './recorded/anthropic.js'
import { FAILURES } from './recorded/failures.js'
import { GEMINI } from './recorded/gemini.js'
import { OPENAI } from './recorded/openai.js'
import { OPENAI_LIKES } from './recorded/openai-likes.js'
import { isSse, observationOf, observe, type Recorded } from './support.js'

const ALL = { OPENAI, OPENAI_LIKES, ANTHROPIC, GEMINI, FAILURES }

describe.each(Object.entries(ALL))('%s', (_, answers) => {
  describe.each(answers)('$name', (recorded) => {
    const told = observationOf(recorded.tells)
    const bytes = Buffer.from(recorded.body)

    test('tells what it says, and nothing else', () => {
      expect(observe(recorded)).toEqual(told)
    })

    test('tells the same, however its bytes are cut into chunks', () => {
      expect(observe(recorded, [...bytes.keys()])).toEqual(told)
      const cuts = fc.array(fc.nat(bytes.length), { maxLength: 40 })
      fc.assert(
        fc.property(cuts, (unsorted) => {
          const sorted = unsorted.sort((one, other) => one - other)
          expect(observe(recorded, sorted)).toEqual(told)
        }),
        runs(10),
      )
    })
  })
})

const STREAMS = Object.values(ALL).flat().filter(isSse)

describe.each(STREAMS)('the stream of $name', (recorded: Recorded) => {
  const told = observationOf(recorded.tells)
  const body = recorded.body as string

  test.each([
    ['CRLF', body.replaceAll(/\r?\n/g, '\r\n')],
    ['CR', body.replaceAll(/\r?\n/g, '\r')],
    ['LF', body.replaceAll(/\r?\n/g, '\n')],
    ['a byte order mark', `\uFEFF${body}`],
    ['comments', body.replaceAll('data: ', ': ping\n: data: {"usage":{}}\ndata: ')],
    ['other fields', body.replaceAll('data: ', 'retry: 10\nid: 5\ndatax: {}\ndat: {}\ndata: ')],
    ['no space after the colon', body.replaceAll('data: ', 'data:')],
    ['data on several lines', body.replaceAll('data: {', 'data: {\ndata:\ndata: ')],
    [
      'data on several lines that end with CRLF',
      body.replaceAll('data: {', 'data: {\ndata: ').replaceAll(/\r?\n/g, '\r\n'),
    ],
    ['no empty line at its end', body.trimEnd()],
  ])('tells the same with %s', (_, changed) => {
    const other = { ...recorded, body: changed, headers: { 'content-type': 'text/event-stream' } }
    expect(observe(other)).toEqual(told)
    expect(observe(other, [...Buffer.from(changed).keys()])).toEqual(told)
    expect(observe(other, [1])).toEqual(told)
  })
})
