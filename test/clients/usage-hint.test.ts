import { expect, test } from 'vitest'
import { usageHint } from '../../src/clients/include-usage.js'

test('a stream without tokens names how to ask for them: what its own client can do, and no option of another', () => {
  const path = '/v1/chat/completions'
  const plain =
    'A response reported no tokens: they are logged as unknown. Ask for them with stream_options: { include_usage: true }'
  expect(usageHint(path, true, 'with an option').hint).toBe(`${plain}, or with an option`)
  expect(usageHint(path, false, 'with an option').hint).not.toContain('option')
})
