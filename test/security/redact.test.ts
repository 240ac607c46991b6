import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { decodeLine } from '../../src/events/line.js'
import { redactSecrets } from '../../src/events/redact.js'
import { openJournal, type RequestLog } from '../../src/index.js'
import { test as withWorkspace } from '../support/workspace.js'

const redact = (text: string) => redactSecrets(text, 'error_message')
// Put together here, so that no scanner takes this file for a leak.
const hex = (length: number) => '0123456789abcdef'.repeat(20).slice(0, length)
const bech32 = (length: number) => 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'.repeat(20).slice(0, length)
const base58 = (length: number) => 'Wd3nRz7YkP5uHcX9'.repeat(20).slice(0, length)
const seed = 'abandon ability able about above absent absorb abstract absurd abuse access accident'
const letters = (length: number) => 'aB3dE6gH9jK2mN5pQ8sT1vW4yZ7'.repeat(20).slice(0, length)

const throwing = (message: string) => ({
  get model(): string {
    throw new Error(message)
  },
})

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
  ['Cashu token, version 3', `cashuA${letters(80)}==`, 'token SECRET already spent'],
  ['Cashu token, version 4', `cashuB${letters(60)}-_${letters(20)}`, 'X-Cashu: SECRET'],
  ['Cashu token in a URI', `cashuB${letters(60)}`, 'cashu:SECRET?x=1'],
  ['proof', hex(64), '{"amount":8,"id":"009a1f293253e41e","secret":"SECRET","Y":1}'],
  ['proof’s signature', `02${hex(64)}`, '{"C":"SECRET","id":"009a1f293253e41e"}'],
  ['witness of a proof', `{\\"signatures\\":[\\"${hex(128)}\\"]}`, '{"witness":"SECRET","id":"0"}'],
  ['macaroon in hex', `0201036c6e64${hex(120)}`, 'bad macaroon SECRET given'],
  ['macaroon header', hex(40), 'Grpc-Metadata-macaroon: SECRET'],
  ['macaroon in base64', `AgEDbG5kAvgB${letters(80)}=`, 'cannot decode SECRET'],
  ['macaroon, version 1', `MDAxY2xvY2F0aW9u${letters(80)}`, 'cannot decode SECRET'],
  ['macaroon in an address', letters(60), 'lndconnect://node.example:10009?cert=abc&macaroon=SECRET'],
  ['L402', `${letters(60)}:${hex(64)}`, 'Authorization: L402 SECRET'],
  ['LSAT without its header', `${letters(60)}:${hex(64)}`, 'sent LSAT SECRET upstream'],
  ['L402 challenge', letters(60), 'WWW-Authenticate: L402 macaroon="SECRET", realm="x"'],
  ['invoice', `lnbc2500u1${bech32(180)}`, 'invoice SECRET expired'],
  ['invoice, in capitals', `LNBC1${bech32(180).toUpperCase()}`, 'lightning:SECRET'],
  ['invoice of a test net', `lntbs10n1${bech32(180)}`, 'pay SECRET'],
  ['offer', `lno1${bech32(100)}`, 'pay SECRET'],
  ['LNURL', `LNURL1${bech32(80).toUpperCase()}`, 'withdraw SECRET failed'],
  ['LNURL in clear', 'host.example/api?k1=abc&q=1', 'GET lnurlw://SECRET failed'],
  ['preimage', hex(64), '{"payment_preimage":"SECRET","status":"ok"}'],
  ['preimage in base64', `${letters(43)}=`, 'r_preimage: SECRET'],
  ['key of Nostr', `nsec1${bech32(58)}`, 'signing with SECRET'],
  ['encrypted key of Nostr', `ncryptsec1${bech32(120)}`, 'signing with SECRET'],
  ['wallet connection', hex(64), 'nostr+walletconnect://b889?relay=wss://r.example&secret=SECRET'],
  ['extended key', `xprv9${base58(106)}`, 'import of SECRET failed'],
  ['extended key of a test net', `tprv8${base58(106)}`, 'import of SECRET failed'],
  ['single key, uncompressed', `5${base58(50)}`, 'import of SECRET failed'],
  ['single key, compressed', `K${base58(51)}`, 'import of SECRET failed'],
  ['seed phrase', seed, 'mnemonic: SECRET'],
  ['seed phrase in JSON', `${seed} ${seed}`, '{"seed_phrase":"SECRET"}'],
  ['seed phrase as a list', seed.replaceAll(' ', '","'), '{"cipher_seed_mnemonic":["SECRET"]}'],
  ['notes of Fedimint', `AgEEsuFO5gD3AwQB${letters(80)}`, 'reissue of SECRET failed'],
  ['notes of Fedimint, prefixed', `fedimint${'abcdefgh234567'.repeat(8)}`, 'reissue of SECRET failed'],
  ['notes by name', letters(60), '{"oobNotes":"SECRET"}'],
  ['rune', `${letters(43)}=`, 'Rune: SECRET'],
  ['rune in JSON', letters(60), '{"rune":"SECRET","method":"pay"}'],
  ['LNbits, admin', hex(32), '{"adminkey":"SECRET","id":"w"}'],
  ['LNbits, invoices', hex(32), '"inkey": "SECRET"'],
  ['Authorization: Nostr', `${letters(200)}==`, 'Authorization: Nostr SECRET'],
  ['Authorization: Cashu', letters(40), 'Authorization: Cashu SECRET'],
  ['Authorization: Negotiate', `YII${letters(200)}`, '"Authorization": "Negotiate SECRET"'],
  [
    'Authorization: Digest',
    `username="me", realm="r", nonce="1", uri="/", response="${hex(32)}"`,
    'Authorization: Digest SECRET',
  ],
  [
    'Authorization: Digest in JSON',
    `username=\\"me\\", realm=\\"r\\", response=\\"${hex(32)}\\"`,
    '{"authorization":"Digest SECRET","host":"h"}',
  ],
  ['Authorization: a scheme nobody knows', letters(24), 'proxy-authorization: Frobnicate SECRET'],
  ['webhook of Slack', 'T00/B00/XXXX', 'POST https://hooks.slack.com/services/SECRET 404'],
  ['webhook of Discord', `123456/${letters(60)}`, 'https://discord.com/api/webhooks/SECRET'],
  ['webhook of Teams', letters(60), 'https://acme.webhook.office.com/webhookb2/SECRET'],
  ['bot of Telegram', `bot123456789:AA${letters(33)}`, 'https://api.telegram.org/SECRET/sendMessage'],
  ['age', `AGE-SECRET-KEY-1${bech32(58).toUpperCase()}`, 'no identity SECRET'],
  ['pwd', 'hunter22', 'Server=h;Uid=u;Pwd=SECRET;'],
  ['credential', letters(24), 'X-Amz-Credential=SECRET&x=1'],
  ['token in JSON', letters(20), '{"token":"SECRET","ttl":60}'],
  ['key in JSON, quoted once more', letters(20), '{\\"key\\":\\"SECRET\\"}'],
  ['hex after its name', hex(64), 'invalid api token: SECRET'],
  ['hex in a sentence', hex(64), 'The token SECRET is not known'],
  ['40 characters after their name', hex(40), 'wrong access key provided: "SECRET"'],
  ['OpenAI, small letters only', 'sk-abcdefghijklmnopqrstuvwxyz', 'got SECRET'],
  ['OpenAI project, small letters only', 'sk-proj-abcdefghijklmnopqrstuvwxyz', 'got SECRET'],
  ['a key over two lines', `sk-proj-${letters(20)}\n${letters(20)}`, 'got SECRET\nand more'],
  ['a bearer over two lines', `${letters(20)}\r\n${letters(20)}`, 'Authorization: Bearer SECRET'],
  ['proof in Python', `03${hex(64)}`, "{'amount': 8, 'C': 'SECRET', 'id': '009a1f293253e41e'}"],
  [
    'L402 with a macaroon that is known by its form',
    `AgEEbHNhdAJC${letters(60)}:${hex(64)}`,
    'Authorization: L402 SECRET',
  ],
  ['LSAT, the same in JSON', `AgEEbHNhdAJC${letters(60)}:${hex(64)}`, '{"authorization":"LSAT SECRET"}'],
  ['a password that begins like a key', 'AKIAIOSFODNN7EXAMPLE!tail-of-it', 'password=SECRET host=h'],
  ['k1 of an LNURL', hex(64), 'GET https://h.example/withdraw?k1=SECRET&pr=x 500'],
  ['preimage in a sentence', hex(64), 'preimage SECRET does not match'],
  ['seed phrase in quotes, in a sentence', seed, 'mnemonic "SECRET" has a bad checksum'],
  [
    'seed phrase, numbered',
    seed
      .split(' ')
      .map((word, i) => (i === 0 ? word : `${i + 1}. ${word}`))
      .join(' '),
    'seed words: 1. SECRET',
  ],
  ['seed phrase after its length', `${seed} ${seed}`, 'BIP39 mnemonic (24 words): SECRET'],
  ['seed phrase as an argument', seed, 'Mnemonic(words="SECRET")'],
  ['headers as Go prints them', letters(28), 'map[Accept:[*/*] Authorization:[Bearer SECRET]]'],
  ['headers as Go makes JSON of them', letters(28), '{"Accept":["*/*"],"X-Api-Key":["SECRET"]}'],
  ['headers as a flat list', letters(40), '["x-api-key","SECRET","accept","*/*"]'],
  ['headers in Ruby', letters(40), '{"x-api-key"=>"SECRET", "accept"=>"*/*"}'],
  ['an element of XML', letters(40), '<apiKey>SECRET</apiKey>'],
  [
    'JSON inside JSON inside JSON',
    letters(20),
    '{"a":"{\\"b\\":\\"{\\\\\\"apiKey\\\\\\":\\\\\\"SECRET\\\\\\"}\\"}"}',
  ],
  ['private key of a node', hex(64), 'privkey=SECRET'],
  ['ElevenLabs', `sk_${hex(48)}`, 'got SECRET'],
  ['a key that is percent-encoded twice', `sk%252Dproj%252D${letters(20)}`, 'GET /?q=SECRET&x=1'],
  [
    'a key over two lines, indented',
    `sk-ant-api03-${letters(20)}\n    ${letters(20)}`,
    'got SECRET\nand more',
  ],
  [
    'a key over two lines of a shell',
    `sk-ant-api03-${letters(20)}\\\n${letters(20)}`,
    'got SECRET\nand more',
  ],
  ['a key that is percent-encoded in lower case', `sk%2dant%2dapi03%2d${letters(20)}`, 'GET /?q=SECRET&x=1'],
  ['a key that is percent-encoded', `sk%2Dproj%2D${letters(20)}%5F${letters(20)}`, 'GET /?q=SECRET&x=1'],
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
  'invoice expired, preimage: missing, payment_hash: HEX64',
  'txid HEX64 has 0 confirmations',
  'no route to 02HEX64, channel 761x2x1 is disabled',
  'npub1qpzry9x8gf2tvdw0s3jn54khce6mua7lqpzry9x8gf2tvdw0s3jn54khce is not allowed',
  'pay to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 instead',
  'cannot get macaroon: root key with id 0 does not exist',
  'verification failed: signature mismatch after caveat verification, expected 1 macaroon',
  'Invalid rune: Not permitted: too soon',
  'mint quote 018f3c7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f is not paid: keyset 009a1f293253e41e',
  'recovery phrase: please enter the twelve words that were shown when your wallet was first made',
  'mnemonic must have 12, 15, 18, 21 or 24 words',
  'seed: 42, temperature: 0.7',
  'Authorization: header is missing',
  'Authorization: please provide one',
  'WWW-Authenticate: Digest realm="api", nonce="1"',
  'idempotency key 018f3c7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f was used before',
  'cache key HEX64 not found, public key: HEX64',
  'sha-256 of the body: HEX64',
  '{"error":{"param":"key","key":"messages.0.content","token":"<EOF>"}}',
  'Unrecognized key: "max_completion_tokens"',
  '{"key":"max_completion_tokens","token":"identifier"}',
  'PWD=/srv/gateway',
  'see https://discord.com/api/docs and https://slack.com/help',
  'sk-learn-based-ranking is not a model',
  'line one ends here\nline2 begins, key words\nfollow',
  'cashuApp is not installed; fedimintclient 0.4.1',
  'Unknown key: response_format_schema_version_2',
  'Secret "llm-gateway-prod-credentials-2024" not found',
  'required: ["api_key","model"], got ["password","user_name"]',
  'sk-learn was not found\n    at resolve (/srv/app/dist/index-4f3a9b1c.js:12:345)',
  'map[Accept:[*/*] Retry-After:[3]], password => required, usage: token=<token> secret=<secret>',
  'model claude-3-5-sonnet-20241022 in 018f3c7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f failed',
])('leaves as it is: %s', (named) => {
  const text = named.replaceAll('HEX64', hex(64))
  expect(redact(text)).toBe(text)
})

/** Beginnings that make a backtracking pattern try again at each place. */
const HOSTILE = [
  'sk-', 'sk-a', 'sk-*-', 'eyJ', 'eyJ-', 'eyJaaaaaaaa.', 'AIza', 'Bearer ', 'bearer a', 'Basic\t', 'Token aaaaaaa ', 'api_key=', 'api_key:"', "api_key: '",
  'api_key\\":\\"', 'api_key    :   ', 'password', 'authorization: Bearer ', 'secret\\', '://', 'aaaaaaaaaaaaaaaaaaaaa://', 'https://a', '@', '-----BEGIN ',
  '-----BEGIN PRIVATE KEY-----', '-----BEGIN AAAAAAAAAAAAAAA', '?key=', '&sig=', 'Cookie: a=', 'cookie:a', 'SG.aaaaaaaaaaaaaaaaa', 'a', ' ', '\\', '"', '=', 'gh', 'xox', '\n', 'a.', 'lsv2_', 'api key provided', '%3D', '[redacted]',
  'cashuA', 'cashuB\n1', '0201', 'AgE', 'MDAx', 'lnbc', 'lnbc1', 'lnbc9', 'lnurl1', 'nsec1', 'lnurlw://', 'xprv', '5', 'K', 'Kw', 'fedimint', 'AGE-PLUGIN-', 'age-plugin-a-', 'sk%2D',
  'sk-a-', 'sk-\n1', '\\n', 'a\n1', 'bot1', '1:AA', 'authorization', 'authorization: a', 'authorization: a=b, ', 'authorization: a="', 'authorization=a ', 'Digest a="b", ', 'seed ',
  'seed abc ', 'mnemonic: abc abc ', 'abc ', 'seed phrase: ', '"key":"', 'token: "', 'key ', 'key: ', 'key is ', 'key:is', 'key-', 'key ab-', 'secret ab_', 'seed 1. abc 2. ', 'mnemonic (', 'abc 1. ', '"key","', 'secret>', 'secret=>', 'secret[', '=[', '\\\\\\', '\n  ', 'sk-\n  a', 'sk_a', 'sk_', 'C":"', 'api_key=.', 'public key', '"C":"02', 'hooks.slack.com/services/', 'a.', '.webhook.office.com',
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

withWorkspace(
  'a caller’s own patterns are masked after the default, at each place',
  async ({ workspace }) => {
    const own = /acme-\d+/g
    const journal = openJournal({ directory: workspace.journal, redact: [own] })
    own.lastIndex = 20
    const error_message = `acme-1 and acme-22 with sk-${letters(48)}`
    const failed = { model: 'm', latency_ms: 1, success: false, error_message, labels: { team: 'acme-3' } }
    const { error_message: written, labels } = journal.append(failed)
    expect(written).toBe('[redacted] and [redacted] with [redacted]')
    expect(labels).toEqual({ team: 'acme-3' })
    await journal.close()
  },
)

withWorkspace.for<[string, object]>([
  ['a text where a number is expected', { error_status: `sk-${letters(48)}` }],
  ['a name with NUL', { model: `sk-${letters(48)}\0` }],
  ['the name of a label', { labels: { [`sk-${letters(48)}`]: 5 } }],
  ['a timestamp', { timestamp: `Bearer ${letters(48)}` }],
  ['a type', { type: `sk-${letters(48)}` }],
  ['a secret that is cut where it is shown', { timestamp: `${'.'.repeat(50)} sk-${letters(48)}` }],
  ['what a getter throws', throwing(`sk-${letters(48)}`)],
  ['what toJSON throws', { more: { toJSON: () => throwing(`sk-${letters(48)}`).model } }],
  ['the name of a member', { [`sk-${letters(48)}`]: 5n }],
  ['a pattern of the caller’s own', { policy: 5, timestamp: `${letters(12)} acme-${'1'.repeat(60)}` }],
])('an error about an invalid event quotes no secret: %s', ([, fields], { workspace }) => {
  const logged: unknown[] = []
  const keep = (...parts: unknown[]) => logged.push(...parts)
  const logger = { warn: keep, error: keep }
  const redact = [/acme-\d{40,}/g, /aB3dE6gH9jK2(?!m)/g]
  const journal = openJournal({ directory: workspace.journal, logger, redact })
  const event = Object.defineProperties(
    { model: 'm', latency_ms: 1, success: true },
    Object.getOwnPropertyDescriptors(fields),
  )
  journal.record(event as RequestLog)
  expect(journal.counters.invalid).toBe(1)
  const text = inspect(logged, { depth: 9, maxStringLength: null })
  expect(text).toContain('[redacted')
  expect(text).not.toContain(letters(12))
  expect(text).not.toContain('11111')
})

test('a rejected line’s reason quotes no secret', () => {
  const line = Buffer.from(`{"model":"m" sk-${letters(30)}`)
  expect(JSON.stringify(decodeLine(line, { correlationId: () => 'c', timestamp: () => 't' }))).not.toContain(
    letters(12),
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
