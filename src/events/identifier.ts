import { createHash } from 'node:crypto'

/** UTF-8 bytes that an identifier has at most: each one is a key of indexes, roll-ups and maps. */
export const MAX_IDENTIFIER_BYTES = 1024

/** Stands between the beginning of a long identifier and the hash of the whole. ASCII, so that lines stay so. */
const MARK = '...sha256:'
const KEPT_BYTES = MAX_IDENTIFIER_BYTES - MARK.length - 64

/**
 * An identifier (model, provider, policy, correlation_id, a label's name or value) as it is stored and asked for: lone
 * surrogates are U+FFFD, and one that has more than 1 KiB of UTF-8 is cut and ends in the SHA-256 of the whole, so that
 * different ones stay different. The result is its own result. journal/README.md specifies this, for other readers.
 */
export function safeIdentifier(text: string): string {
  const whole = text.toWellFormed()
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (whole.length * 3 <= MAX_IDENTIFIER_BYTES) return whole
  const bytes = Buffer.from(whole)
  if (bytes.length <= MAX_IDENTIFIER_BYTES) return whole
  return `${utf8Prefix(bytes, KEPT_BYTES)}${MARK}${createHash('sha256').update(bytes).digest('hex')}`
}

/** The whole characters within the first `maxBytes` of a text that is longer. */
export function utf8Prefix(bytes: Buffer, maxBytes: number): string {
  let end = maxBytes
  // Back to the first byte of a character: continuation bytes are 10xxxxxx.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
