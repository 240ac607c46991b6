/**
 * Takes secrets out of a text before it is written.
 *
 * @param text the value of a free-text field.
 * @param field `error_message`, or `labels.<name>` for a label.
 */
export type Redact = (text: string, field: string) => string

const MASK = '[redacted]'

// Hostile text must cost linear time: each repetition below is bounded, or runs over characters that the next attempt
// can't begin in, or is followed by nothing that could fail.

/** From its first line to its last, or to the end where the message was cut. */
const PRIVATE_KEY =
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END )[\s\S])*(?:-----END [A-Z ]{0,40}-----)?/g

/** Credentials in front of a host: `https://user:secret@host`, `https://token@host`. */
const USER_INFO = /\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/?#"'<>]{1,512}@/gi

/** Keys as they are issued, each by its beginning. Most are longer than the least length that is asked for. */
const KEYS = [
  // OpenAI (sk-, sk-proj-, sk-svcacct-), Anthropic (sk-ant-), OpenRouter (sk-or-), DeepSeek; also half masked: sk-ab****cd.
  /(?:sk|pk|rk)-(?=[a-z_-]{0,64}[A-Z0-9*])[A-Za-z0-9_*-]{12,}/,
  // Stripe, and those who do the same.
  /(?:sk|pk|rk|whsec)_(?:live|test)_[A-Za-z0-9]{10,}/,
  // Groq, xAI, Hugging Face, Replicate, Perplexity, Fireworks, NVIDIA, Cerebras, LangSmith.
  /(?:gsk_|xai-|hf_|r8_|pplx-|fw_|csk-)[A-Za-z0-9]{16,}|(?:nvapi-|lsv2_(?:pt|sk)_)[A-Za-z0-9_-]{16,}/,
  // Google: API keys, OAuth access tokens and client secrets.
  /AIza[A-Za-z0-9_-]{12,}|ya29\.[A-Za-z0-9_-]{16,}|GOCSPX-[A-Za-z0-9_-]{16,}/,
  // AWS key ids. Its secrets have no form of their own: they are found by name.
  /(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}/,
  // GitHub, GitLab, Slack, npm, Databricks, SendGrid.
  /gh[pousr]_[A-Za-z0-9_]{12,}|github_pat_[A-Za-z0-9_]{12,}|glpat-[A-Za-z0-9_-]{12,}/,
  /xox[abeprs]-[A-Za-z0-9-]{10,}|npm_[A-Za-z0-9]{30,}|dapi[a-f0-9]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/,
  // JWTs.
  /(?<!-)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*){0,3}/,
]
const KEY = new RegExp(`(?<![A-Za-z0-9_])(?:${KEYS.map(({ source }) => source).join('|')})`, 'g')

/** What follows a scheme is a credential only if it looks like one: `Basic authentication`, `token limit`. */
const SCHEME = /\b(?:(Bearer)|(Basic)|Token|ApiKey)(?:\s{1,8}|%20)([A-Za-z0-9._~+/=-]{8,})/gi

/** `?key=…`, `&sig=…`: ordinary words elsewhere. And the signature at the end of an AWS header. */
const QUERY = /((?:[?&](?:key|token|auth|sig|signature)|,\s{0,2}Signature)=)[^\s&#"'<>]{6,}/gi

/** All of its values: which of them is the session nobody can tell. */
const COOKIE = /\b((?:Set-)?Cookie["']?\s{0,4}:\s{0,4}["']?)[^\s=;"']{1,256}=[^\n"']*/gi

/** Names that secrets go by, whatever stands before them: `OPENAI_API_KEY`, `x-api-key`, `clientSecret`. */
const NAMES = [
  'api[-_. ]?key(?: provided| given)?',
  '(?:subscription|master|account|access|secret|private|signing|encryption|auth)[-_. ]?key',
  'access[-_]?key[-_]?id',
  '(?:access|auth|refresh|session|security|bearer|api)[-_]?token',
  '(?<![a-z])id[-_]token',
  'authorization',
  'passw(?:or)?d',
  'passphrase',
  'secret',
].join('|')
const SEPARATOR = `(?:\\\\?["'])?\\s{0,4}(?:=|:|%3D)\\s{0,4}(?:(?:Bearer|Basic|Token|ApiKey)\\s{1,8})?`

/** A quoted value ends at its quote, also where all of it is quoted once more: `{\"password\":\"…\"}`. */
const VALUE = [
  String.raw`\\"(?:(?!\\")[^\n])*`,
  String.raw`"(?:[^"\\\n]|\\[^\n])*`,
  String.raw`'(?:[^'\\\n]|\\[^\n])*`,
  '[^\\s"\'`,;&}\\])<>\\\\]+',
].join('|')
const NAMED = new RegExp(`((?:${NAMES})${SEPARATOR})(${VALUE})`, 'gi')

/** What stands behind `api_key:` in a sentence, and is none. */
const WORDS =
  /^(?:required|invalid|missing|incorrect|expected|expired|revoked|unknown|undefined|unauthorized|unauthenticated|forbidden|disabled|please|cannot|could|should|must|malformed|denied|failed|failure|wrong|empty|none|null|true|false|string|object|field|value|not|the|is|was|header|header's|you|your|check)\b[.!?]?$/i

/** The default: masks API keys and credentials in `error_message`, which often quotes what an upstream was sent. */
export function redactSecrets(text: string, field: string): string {
  if (field !== 'error_message') return text
  return text
    .replace(PRIVATE_KEY, MASK)
    .replace(USER_INFO, `$1${MASK}@`)
    .replace(KEY, MASK)
    .replace(SCHEME, maskCredential)
    .replace(QUERY, `$1${MASK}`)
    .replace(COOKIE, `$1${MASK}`)
    .replace(NAMED, maskNamed)
}

function maskCredential(match: string, bearer: string | undefined, basic: string | undefined, value: string) {
  const isCredential =
    bearer !== undefined
      ? /[0-9=_+/~]|[a-z][A-Z]/.test(value) || value.length >= 24
      : basic !== undefined
        ? /^[A-Za-z0-9+/]{8,}={0,2}$/.test(value) && /=|[a-z][A-Z]|[A-Za-z]\d/.test(value)
        : /\d/.test(value) && value.length >= 20
  return isCredential ? match.slice(0, -value.length) + MASK : match
}

function maskNamed(match: string, before: string, value: string): string {
  const quote = /^\\?["']|^/.exec(value)?.[0] ?? ''
  const bare = value.slice(quote.length)
  if (bare === '' || WORDS.test(bare) || /^(?:\w{1,10} )?\[redacted\]?$/.test(bare)) return match
  // In a sentence a colon and a space stand before ordinary short words as well.
  const leastLength = quote === '' && /\s$/.test(before) ? 6 : 3
  return bare.length < leastLength ? match : `${before}${quote}${MASK}`
}
