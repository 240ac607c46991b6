import { createHash } from 'node:crypto'

/** The most bytes of UTF-8 in an identifier, which is a key of indexes, roll-ups and maps. */
export const MAX_IDENTIFIER_BYTES = 1024

/**
 * Joins the beginning of a long identifier and the hash of the whole. It is ASCII, so that lines
 * stay ASCII.
 */
const MARK = '...sha256:'
const KEPT_BYTES = MAX_IDENTIFIER_BYTES - MARK.length - 64

/**
 * Returns an identifier (model, provider, policy, correlation_id, a label's name or value) in the
 * form that is stored and searched for. Lone surrogates become U+FFFD. An identifier of more than
 * 1 KiB of UTF-8 is cut and ends in the SHA-256 of the whole, so that different ones stay
 * different. A safe identifier stays as it is. journal/README.md specifies this for other readers.
 */
export function safeIdentifier(text: string): string {
  const whole = text.toWellFormed()
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (whole.length * 3 <= MAX_IDENTIFIER_BYTES) return whole
  const bytes = Buffer.from(whole)
  if (bytes.length <= MAX_IDENTIFIER_BYTES) return whole
  return `${utf8Prefix(bytes, KEPT_BYTES)}${MARK}${createHash('sha256').update(bytes).digest('hex')}`
}

/** Returns the whole characters within the first `maxBytes` of a text that is longer. */
export function utf8Prefix(bytes: Buffer, maxBytes: number): string {
  let end = maxBytes
  // Go back to the first byte of a character: continuation bytes are 10xxxxxx.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
