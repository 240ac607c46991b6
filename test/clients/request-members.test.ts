import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RequestMembers } from '../../src/clients/request-members.js'
import { runs } from '../support/runs.js'

const BOUNDARY = '----formdata-undici-012345678901'
const FORM = `multipart/form-data; boundary=${BOUNDARY}`

function part(head: string, value: string): string {
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`
}

/** What a file may hold to be taken for something else. */
const HOSTILE = `\r\n\r\n\r\n--${BOUNDARY.slice(0, -1)}\r\n--\r\nname="model"\r\n\r\nnot-this\r\n-`
const FILE = part('name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg', HOSTILE)
const END = `--${BOUNDARY}--\r\n`

const BODIES = {
  'JSON with the members at its end': [
    'application/json',
    '{"input":"\\"model\\":\\"no\\" 🦉","nested":{"model":"no"},"model":"m-1","stream":true,"service_tier":"flex"}',
    { model: 'm-1', stream: true, service_tier: 'flex' },
  ],
  'a form with the file first': [
    FORM,
    FILE +
      part('name="model"', 'whisper-🦉') +
      part('name="stream"', 'true') +
      part('name="prompt"', 'no') +
      END,
    { model: 'whisper-🦉', stream: 'true' },
  ],
  'a form with empty fields and the file last': [
    FORM,
    part('name="model"', '') + part('name="service_tier"', 'auto') + FILE + END,
    { model: '', service_tier: 'auto' },
  ],
  'a form whose fields and heads are too long': [
    FORM,
    part('name="model"', 'm'.repeat(1025)) +
      part(`x="${'x'.repeat(5000)}"; name="model"`, 'm') +
      part('name="stream"', 'true') +
      END,
    { stream: 'true' },
  ],
  'a form that breaks off': [
    FORM,
    `${FILE}${part('name="stream"', 'true')}--${BOUNDARY}\r\nContent-`,
    { stream: 'true' },
  ],
  'a form without a boundary': [FORM, 'model=m', {}],
} satisfies Record<string, [string, string, object]>

describe.each(Object.entries(BODIES))('%s', (_, [type, body, found]) => {
  const bytes = Buffer.from(body)

  function read(cuts: number[]): object {
    const members = new RequestMembers(type)
    let from = 0
    for (const cut of [...cuts, bytes.length]) {
      const chunk = Uint8Array.from(bytes.subarray(from, cut))
      members.push(chunk)
      chunk.fill(0)
      from = cut
    }
    return members.found
  }

  test('tells its members, however its bytes are cut into chunks', () => {
    expect(read([])).toEqual(found)
    expect(read([...bytes.keys()])).toEqual(found)
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 10 }), (cuts) => {
        expect(read(cuts.sort((one, other) => one - other))).toEqual(found)
      }),
      runs(50),
    )
  })
})
