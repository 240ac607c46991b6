import { describe, expect, test } from 'vitest'
import { openJournal } from '../../src/index.js'
import { redactSecrets } from '../../src/journal/redact.js'
import { test as withWorkspace } from '../support/workspace.js'

const redact = (text: string) => redactSecrets(text, 'error_message')
// Put together here, so that no scanner takes this file for a leak.
const letters = (length: number) => 'aB3dE6gH9jK2mN5pQ8sT1vW4yZ7'.repeat(20).slice(0, length)

/** Each secret, and what remains of the text around it. */
const SECRETS: [string, string, string][] = [
  [
    'OpenAI',
    `sk-${letters(48)}`,
    'Incorrect API key provided: SECRET. You can find your API key at https://platform.openai.com/account/api-keys.',
  ],
  ['OpenAI project', `sk-proj-${letters(40)}_${letters(20)}-${letters(60)}`, 'key SECRET, retry'],
  ['OpenAI service account', `sk-svcacct-${letters(60)}`, 'SECRET'],
  ['OpenAI, half masked', 'sk-proj-********************abcd', 'Incorrect API key provided: SECRET.'],
  ['Anthropic', `sk-ant-api03-${letters(80)}-${letters(8)}AA`, 'invalid x-api-key (SECRET)'],
  ['OpenRouter', `sk-or-v1-${'0123456789abcdef'.repeat(4)}`, 'user SECRET not found'],
  [
    'Google',
    `AIza${letters(35)}`,
    'https://generativelanguage.googleapis.com/v1beta/models/gemini:generateContent?key=SECRET&alt=sse failed',
  ],
  ['Google OAuth', `ya29.${letters(60)}`, 'token SECRET has expired'],
  ['Groq', `gsk_${letters(52)}`, 'Invalid API Key: SECRET'],
  ['xAI', `xai-${letters(80)}`, 'got SECRET'],
  ['Hugging Face', `hf_${letters(34)}`, 'got SECRET'],
  ['Replicate', `r8_${letters(37)}`, 'Token SECRET is invalid'],
  ['AWS key id', 'AKIAIOSFODNN7EXAMPLE', 'The AWS Access Key Id SECRET does not exist'],
  ['AWS secret', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 'aws_secret_access_key = SECRET'],
  [
    'AWS secret in JSON',
    'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    '{"secretAccessKey":"SECRET","region":"us-east-1"}',
  ],
  ['AWS signature', '0123456789abcdef'.repeat(4), 'SignedHeaders=host;x-amz-date, Signature=SECRET'],
  ['GitHub', `ghp_${letters(36)}`, 'remote: SECRET is expired'],
  ['GitHub, fine-grained', `github_pat_${letters(22)}_${letters(59)}`, 'remote: SECRET'],
  ['Slack', `xoxb-123456789012-${letters(24)}`, 'posting with SECRET failed'],
  ['JWT', `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${letters(43)}`, 'jwt SECRET malformed'],
  ['JWT, cut off', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM', 'jwt SECRET'],
  ['bearer header', 'abcdefgh12345678', 'Authorization: Bearer SECRET'],
  ['bearer header in JSON', letters(30), '{"authorization":"Bearer SECRET","host":"h"}'],
  ['basic header', 'dXNlcjpwYXNzd29yZA==', 'proxy-authorization: basic SECRET'],
  ['a scheme of its own', letters(20), 'Authorization: SECRET'],
  ['x-api-key', letters(20), "headers: { 'x-api-key': 'SECRET', accept: 'application/json' }"],
  ['JSON api_key', 'abc', '{"api_key":"SECRET","model":"m"}'],
  ['JSON with a quote in the value', 'ab\\"cd', '{"password":"SECRET","model":"m"}'],
  ['JSON inside JSON', letters(20), '{"body":"{\\"apiKey\\":\\"SECRET\\",\\"n\\":1}"}'],
  ['environment', letters(20), 'OPENAI_API_KEY=SECRET node server.js'],
  ['camel case', letters(20), 'azureOpenaiApiKey: SECRET'],
  ['an unknown format, said by the server', 'my-gateway-key-7', 'Incorrect API key provided: SECRET'],
  ['query', letters(12), 'GET /v1/models?api_key=SECRET&x=1 returned 401'],
  ['access token', letters(12), 'GET /v1/models?limit=1&access_token=SECRET&top=1'],
  ['shared access signature', 'aBc%2Fdef%3D', 'https://h.blob.core.windows.net/c?sv=2021&sig=SECRET&se=2027'],
  [
    'Azure connection string',
    `${letters(40)}==`,
    'AccountName=x;AccountKey=SECRET;EndpointSuffix=core.windows.net',
  ],
  ['user and password in a URL', 'me:p@ssw0rd', 'connect ECONNREFUSED postgres://SECRET@db.local:5432/x'],
  ['token in a URL', letters(20), 'clone of https://SECRET@github.com/o/r failed'],
  ['password', 'hunter22', 'login failed: user=u password=SECRET host=h'],
  ['password of letters only', 'swordfish', 'password: SECRET'],
  ['cookies', 'session=abc123; theme=dark', 'Cookie: SECRET'],
  [
    'private key',
    `-----BEGIN RSA PRIVATE KEY-----\n${letters(64)}\n${letters(64)}\n-----END RSA PRIVATE KEY-----`,
    'bad key SECRET at line 1',
  ],
  [
    'private key in JSON',
    `-----BEGIN PRIVATE KEY-----\\n${letters(64)}\\n-----END PRIVATE KEY-----`,
    'parse SECRET',
  ],
  ['private key, cut off', `-----BEGIN OPENSSH PRIVATE KEY-----\n${letters(300)}`, 'parse SECRET'],
]

test.each(SECRETS)('masks, and nothing around it: %s', (_, secret, text) => {
  expect(redact(text.replace('SECRET', secret))).toBe(text.replace('SECRET', '[redacted]'))
})

test('several in one message, the same one twice', () => {
  const key = `sk-${letters(48)}`
  const text = redact(`${key}, ${key}; Bearer ${letters(40)} and password=swordfish`)
  expect(text).toBe('[redacted], [redacted]; Bearer [redacted] and password=[redacted]')
  expect(redact(text)).toBe(text)
})

/** What upstreams really say, and what a gateway says of them. */
test.each([
  'upstream timed out after 30 s',
  '',
  'max_tokens: 4096 is too large',
  "This model's maximum context length is 8192 tokens. However, you requested 10000 tokens (9000 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.",
  'Rate limit reached for gpt-4o in organization org-AbCdEf123456 on tokens per min (TPM): Limit 30000, Used 29500, Requested 1200. Please try again in 1.4s. Visit https://platform.openai.com/account/rate-limits to learn more.',
  'You exceeded your current quota, please check your plan and billing details.',
  "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)".replace(
    ': Bearer YOUR_KEY',
    ' header',
  ),
  'API key not valid. Please pass a valid API key.',
  'invalid x-api-key',
  'x-api-key header is required',
  'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription.',
  'The model `gpt-5-turbo` does not exist or you do not have access to it.',
  'Overloaded',
  'messages.0.content: Field required',
  'prompt is too long: 204798 tokens > 200000 maximum',
  'Unexpected token < in JSON at position 0',
  'Unexpected token: }',
  'connect ECONNREFUSED 127.0.0.1:8080',
  'getaddrinfo ENOTFOUND api.openai.com',
  'socket hang up (request id req_011CSHoEeqs5C35K2UUqR7Fy)',
  'The server had an error while processing your request. Sorry about that! (request ID 7d2f1b9a8c3e4f5a6b7c8d9e0f1a2b3c in your message.)',
  'Resource has been exhausted (e.g. check quota).',
  'User location is not supported for the API use.',
  'ThrottlingException: Too many tokens, please wait before trying again.',
  'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-5-sonnet-20241022-v2:0 is not authorized',
  'password: required',
  'Invalid api_key: missing',
  '{"detail":[{"loc":["header","authorization"],"msg":"Field required","type":"missing"}]}',
  'Basic authentication is disabled, use Bearer authentication',
  'token limit exceeded: token 128000/131072',
  'Basic tier allows 3 requests per minute',
  'task-based-routing-policy-v2 rejected the request',
  'POST https://api.anthropic.com/v1/messages?beta=true 529',
  'secrets: none, api_key: null, tokens=12345678',
  'see https://example.com/a@b/c?x=1',
  'certificate for CN=api.example.com has expired (-----BEGIN CERTIFICATE----- omitted)',
  'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 does not match',
  'model claude-3-5-sonnet-20241022 in 018f3c7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f failed',
])('leaves as it is: %s', (text) => {
  expect(redact(text)).toBe(text)
})

/** Beginnings that make a backtracking pattern try again at each place. */
const HOSTILE = [
  'sk-', 'sk-a', 'sk-*-', 'eyJ', 'eyJ-', 'eyJaaaaaaaa.', 'AIza', 'Bearer ', 'bearer a', 'Basic\t', 'Token aaaaaaa ', 'api_key=', 'api_key:"', "api_key: '",
  'api_key\\":\\"', 'api_key    :   ', 'password', 'authorization: Bearer ', 'secret\\', '://', 'aaaaaaaaaaaaaaaaaaaaa://', 'https://a', '@', '-----BEGIN ',
  '-----BEGIN PRIVATE KEY-----', '-----BEGIN AAAAAAAAAAAAAAA', '?key=', '&sig=', 'Cookie: a=', 'cookie:a', 'SG.aaaaaaaaaaaaaaaaa', 'a', ' ', '\\', '"', '=', 'gh', 'xox', '\n', 'a.', 'lsv2_', 'api key provided', '%3D', '[redacted]',
] // biome-ignore format: a list

describe('hostile text', () => {
  // The message is at most 4 KiB when it is redacted. 64 times that would take 4,096 times as long if time were
  // quadratic: far beyond the test's own limit, which is the only clock here.
  test.each(HOSTILE)(
    '%j over and over costs linear time',
    (piece) => {
      const short = piece.repeat(Math.ceil(4096 / piece.length)).slice(0, 4096)
      const long = short.repeat(64)
      expect(redact(short).length).toBeLessThanOrEqual(4096 * 5)
      expect(redact(`${long}!`)).toBeTypeOf('string')
    },
    2000,
  )
})

test('labels are the caller’s own and stay as they are', () => {
  const key = `sk-${letters(48)}`
  expect(redactSecrets(key, 'labels.key')).toBe(key)
})

withWorkspace(
  'what is appended, recorded and completed is redacted before it is written',
  async ({ workspace }) => {
    const key = `sk-ant-api03-${letters(80)}`
    const journal = openJournal({ directory: workspace.journal })
    const failed = { model: 'm', latency_ms: 1, success: false, error_message: `bad key ${key}` }
    expect(journal.append(failed).error_message).toBe('bad key [redacted]')
    const correlation_id = journal.record({ ...failed, streaming: true })
    journal.append({
      type: 'stream_completed',
      correlation_id,
      input_tokens: null,
      output_tokens: null,
      cost_sats: null,
      provider_cost_sats: null,
      stream_duration_ms: null,
      success: false,
      error_status: 401,
      error_message: `"x-api-key": "${key}"`,
    })
    // Cut at 4 KiB in the middle of the key.
    journal.append({ ...failed, error_message: `${'.'.repeat(4000)} ${key.repeat(3)}` })
    await journal.close()
    const [segment = ''] = workspace.segments()
    const text = workspace.readSegment(segment).toString()
    expect(text.match(/\[redacted\]/g)).toHaveLength(4)
    expect(text).not.toContain(letters(12))
  },
)
