import { type Recorded, UNKNOWN_END } from '../support.js'

// Answers that failed, and answers that nothing is known of.

const CHAT = '/v1/chat/completions'

function failure(name: string, status: number, body: string, message: string): Recorded {
  return { name, path: CHAT, status, body, tells: { outcome: { kind: 'error', status, message } } }
}

export const FAILURES: Recorded[] = [
  failure(
    "OpenAI's error",
    429,
    '{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}',
    'rate_limit_exceeded: Rate limit reached',
  ),
  failure('an error that is a text', 404, '{"error":"model \\"x\\" not found"}', 'model "x" not found'),
  failure(
    "LiteLLM's error, whose code is a status as text",
    400,
    '{"error":{"message":"Bad","type":"bad_request","param":null,"code":"400"}}',
    'bad_request: Bad',
  ),
  failure(
    "Mistral's error",
    401,
    '{"object":"error","message":"Unauthorized","type":"unauthorized","param":null,"code":null}',
    'unauthorized: Unauthorized',
  ),
  failure(
    "routstr's error",
    402,
    '{"detail":{"error":{"message":"Insufficient balance","type":"insufficient_quota","code":"insufficient_balance"}}}',
    'insufficient_balance: Insufficient balance',
  ),
  failure("FastAPI's error", 422, '{"detail":"Unprocessable"}', 'Unprocessable'),
  failure(
    "FastAPI's list of errors",
    422,
    '{"detail":[{"loc":["body","model"],"msg":"field required"}]}',
    'HTTP 422 Unprocessable Entity',
  ),
  failure('an error whose body is a page', 502, '<html>Bad gateway</html>', 'HTTP 502 Bad Gateway'),
  failure('an error without a body', 599, '', 'HTTP 599'),
  failure('a redirect', 307, '', 'HTTP 307 Temporary Redirect'),
  failure(
    'an error with a usage, which failed requests are not billed for',
    500,
    '{"error":{"message":"Oops"},"usage":{"prompt_tokens":1}}',
    'Oops',
  ),
  failure(
    'an error of 25 kB, of which the beginning is told',
    400,
    JSON.stringify({ error: { message: `no: ${'\\"x"🦉'.repeat(3_000)}` } }),
    `${`no: ${'\\"x"🦉'.repeat(3_000)}`.slice(0, 1000)}…`,
  ),
  {
    name: 'an API that is not known',
    path: '/v1/rerank',
    body: '{"id":"1","model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}',
    tells: {},
  },
  {
    name: 'an error of an API that is not known, with status 200',
    path: '/v1/rerank',
    body: '{"error":{"message":"No","code":500}}',
    tells: { outcome: { kind: 'error', status: 500, message: 'No' } },
  },
  {
    name: 'JSON that breaks off',
    path: CHAT,
    body: '{"id":"chatcmpl-1","usage":{"prompt_tokens":5,"completion_tokens":6}',
    tells: {
      outcome: { kind: 'incomplete' },
    },
  },
  { name: 'a body that is not JSON', path: CHAT, body: 'Hello', tells: UNKNOWN_END },
  { name: 'a body that is broken JSON', path: CHAT, body: '{"usage" 5}', tells: UNKNOWN_END },
  {
    name: 'an empty body in place of JSON',
    path: CHAT,
    body: '',
    tells: { outcome: { kind: 'incomplete' } },
  },
  {
    name: 'an empty text',
    path: '/v1/audio/transcriptions',
    headers: { 'content-type': 'text/plain' },
    body: '',
    tells: UNKNOWN_END,
  },
  {
    name: 'a stream of an API that is not known, whose end nobody knows',
    path: '/v1/rerank',
    body: 'data: {"usage":{"prompt_tokens":5}}\n\n',
    tells: UNKNOWN_END,
  },
  {
    name: 'a stream without a byte',
    path: CHAT,
    headers: { 'content-type': 'text/event-stream' },
    body: '',
    isStreamAsked: true,
    tells: { outcome: { kind: 'incomplete' } },
  },
]
