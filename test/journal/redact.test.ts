import { expect, test } from 'vitest'
import { redactSecrets } from '../../src/journal/redact.js'

test.each([
  ['Incorrect API key provided: sk-proj-abcdefghijklmnop1234', 'Incorrect API key provided: [redacted]'],
  ['key sk-ant-api03-AAAAAAAAAAAAAAAA is bad', 'key [redacted] is bad'],
  ['Authorization: Bearer abcdefgh12345678', 'Authorization: [redacted] [redacted]'],
  ['authorization: basic dXNlcjpwYXNzd29yZA==', 'authorization: basic [redacted]'],
  ['GET /v1?api_key=abcdef123456&x=1', 'GET /v1?api_key=[redacted]&x=1'],
  ['{"password":"hunter22","user":"u"}', '{"password":"[redacted]","user":"u"}'],
  ['AIzaSyA1234567890abcdef twice AIzaSyA1234567890abcdef', '[redacted] twice [redacted]'],
  ['upstream timed out after 30 s', 'upstream timed out after 30 s'],
  ['max_tokens: 4096 is too large', 'max_tokens: 4096 is too large'],
  ['', ''],
])('%s', (text, redacted) => {
  expect(redactSecrets(text, 'error_message')).toBe(redacted)
})

test('labels are the caller’s own and stay as they are', () => {
  expect(redactSecrets('sk-proj-abcdefghijklmnop1234', 'labels.key')).toBe('sk-proj-abcdefghijklmnop1234')
})
