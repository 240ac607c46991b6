/**
 * Secrets that are recognized by their own form, wherever they are. Hostile text must take linear
 * time: each repetition is bounded, or runs over characters at which the next attempt can't begin,
 * or is followed by nothing that could fail.
 */

/**
 * A line break inside a key: the key continues on the next line, with characters that include a
 * digit.
 */
export const WRAP = String.raw`\\?(?:\\r|\r)?(?:\\n|\n)(?:[ \t]{1,8}(?=[A-Za-z0-9_+/-]{12})|(?=[A-Za-z0-9_+/-]{4}))(?=[A-Za-z_+/-]{0,64}\d)`
/** A character of a key, plain or percent-encoded. */
const KEY_CHARACTER = `(?:[A-Za-z0-9_*-]|%(?:25)?(?:2[Dd]|5[Ff])|${WRAP})`
const BASE64_CHARACTER = `(?:[A-Za-z0-9_+/=-]|%(?:25)?(?:2[BDFbdf]|3[Dd]|5[Ff])|${WRAP})`
const DASH = '(?:-|%(?:25)?2[Dd])'
const BASE58 = '[1-9A-HJ-NP-Za-km-z]'
const BECH32 = '[02-9ac-hj-np-z]'

/** A private key from its first line to its last, or to the end if the message was cut. */
export const PRIVATE_KEY =
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END )[\s\S])*(?:-----END [A-Z ]{0,40}-----)?/g

/**
 * Keys as they are issued, each recognized by its beginning. Most are longer than the minimum
 * required here.
 */
const KEYS = [
  // OpenAI (sk-, sk-proj-, sk-svcacct-), Anthropic (sk-ant-), OpenRouter (sk-or-), DeepSeek;
  // half-masked ones too: sk-ab****cd.
  String.raw`(?:sk|pk|rk)${DASH}(?=[a-z_\r\n-]{0,64}[A-Z0-9*%])${KEY_CHARACTER}{12,}`,
  // The same keys in lowercase letters only. No word is that long.
  `(?:sk|pk|rk)${DASH}(?:[a-z]{1,12}${DASH}){0,2}[a-z]{20,}`,
  // ElevenLabs, Stripe, and others like them.
  'sk_(?=[a-z]{0,64}\\d)[A-Za-z0-9]{32,}',
  `(?:sk|pk|rk|whsec)_(?:live|test)_${KEY_CHARACTER}{10,}`,
  // Groq, xAI, Hugging Face, Replicate, Perplexity, Fireworks, NVIDIA, Cerebras, LangSmith.
  `(?:gsk_|xai-|hf_|r8_|pplx-|fw_|csk-)(?:[A-Za-z0-9]|${WRAP}){16,}|(?:nvapi-|lsv2_(?:pt|sk)_)${KEY_CHARACTER}{16,}`,
  // Google: API keys, OAuth access tokens and client secrets.
  `AIza${KEY_CHARACTER}{12,}|ya29\\.${KEY_CHARACTER}{16,}|GOCSPX-${KEY_CHARACTER}{16,}`,
  // AWS key ids. AWS secrets have no form of their own: they are found by name.
  '(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}',
  // GitHub, GitLab, Slack, npm, Databricks, SendGrid.
  'gh[pousr]_[A-Za-z0-9_]{12,}|github_pat_[A-Za-z0-9_]{12,}|glpat-[A-Za-z0-9_-]{12,}',
  'xox[abeprs]-[A-Za-z0-9-]{10,}|npm_[A-Za-z0-9]{30,}|dapi[a-f0-9]{30,}|SG\\.[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}',
  // Telegram bots, even in a URL's path.
  '(?:bot)?\\d{6,12}(?::|%3[Aa])AA[A-Za-z0-9_-]{25,}',
  // JWTs.
  '(?<!-)eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{2,}(?:\\.[A-Za-z0-9_-]*){0,3}',
  // Cashu tokens.
  `cashu[AB]${BASE64_CHARACTER}{16,}`,
  // Macaroons of version 2 in hex, and of both versions in base64. Fedimint's notes begin like
  // those of version 2.
  `0201[0-9a-fA-F]{80,}|AgE${BASE64_CHARACTER}{40,}|MDA[wxyz]${BASE64_CHARACTER}{40,}`,
  // Bitcoin private keys: BIP-32 extended ones, and single ones in the wallets' import format.
  `[xyztuvYZUV]prv${BASE58}{40,}`,
  `(?:[59]${BASE58}{50}|[KLc]${BASE58}{51})(?![A-Za-z0-9])(?<=[A-Z]${BASE58}{0,51})(?<=[a-z]${BASE58}{0,51})`,
]
export const KEY = new RegExp(`(?<![A-Za-z0-9_])(?:${KEYS.join('|')})`, 'g')

/**
 * Strings in Bech32 and the like: lightning invoices and offers, LNURLs, keys of Nostr and age,
 * Fedimint notes.
 */
export const BECH32_KEY = new RegExp(
  `(?<![A-Za-z0-9_])(?:${[
    `ln(?:bcrt|bc|tbs|tb|sb)\\d{0,20}[munp]?1${BECH32}{20,}`,
    `ln(?:[oir]|url)1${BECH32}{20,}`,
    `n(?:sec|cryptsec)1${BECH32}{20,}`,
    `age-(?:secret-key|plugin-[a-z0-9]{1,30})-1${BECH32}{20,}`,
    'fedimint[a-z2-7]{40,}',
  ].join('|')})`,
  'gi',
)

/** Credentials before a host: `https://user:secret@host`, `https://token@host`. */
export const USER_INFO = /\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/?#"'<>]{1,512}@/gi

/** Addresses that are secrets: webhooks of Slack, Discord and Teams, and plain LNURLs. */
export const SECRET_URL =
  /((?:hooks\.slack(?:-gov)?\.com\/(?:services|workflows|triggers)|discord(?:app)?\.com\/api(?:\/v\d{1,2})?\/webhooks|\.webhook\.office\.com\/webhookb2)\/|\b(?:lnurl[wpc]|keyauth):\/\/)[^\s"'<>]{4,}/gi

/**
 * A word of a seed phrase. The phrase ends before a word that is common in sentences but is in no
 * list of seed words.
 */
const SEED_WORD = '(?!(?:the|and|was|were|for|not|are|your|with|from|has|been|its)\\b)[a-z]{3,8}'
/** Seed phrases: twelve words and more, as text, as a list, or numbered. */
export const SEED_PHRASE = new RegExp(
  String.raw`((?:mnemonic|seed|recovery|backup)(?:[-_ ]?(?:phrase|words?|mnemonic))?(?:\s?\([^()\n"']{1,20}\)|\((?:words?|phrase|seed)=)?["'\\]{0,4}\s{0,4}(?:[:=]|is|was)?\s{0,4}["'\x60\\[({]{0,4}\s{0,2}(?:1[.):]?\s{1,2})?)${SEED_WORD}(?:[\s,"'\\]{1,4}(?:\d{1,2}[.):]?\s{1,2})?${SEED_WORD}){11,23}\b`,
  'gi',
)
