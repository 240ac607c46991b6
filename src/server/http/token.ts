import { createHash, timingSafeEqual } from 'node:crypto'
import { ServerError } from '../errors.js'
import type { OnDisconnect } from './bounds.js'
import { HttpError } from './errors.js'

/** The characters that need no quoting in a header, and that people can copy. */
const TOKEN = /^[\x21-\x7e]+$/

/** A shorter token could be guessed. */
const MIN_LENGTH = 16

/** Wrong tokens are answered one after the other, with this much time between them. */
const GUESS_INTERVAL_MS = 100
/** The longest time that a wrong token waits: a longer queue would only keep connections open. */
const MAX_GUESS_WAIT_MS = 10_000

// Browsers ask for a password only if Basic is offered, and take the first scheme that they know.
const CHALLENGE = ['Basic realm="request-journal", charset="UTF-8"', 'Bearer realm="request-journal"']

/** What a request wants to do: append events, or anything else. */
export type Asked = 'events' | 'reading'

/** What a token may append: every event, or only requests and ends of streams. */
export type MayAppend = 'every event' | 'requests only'

interface Tokens {
  /** The tokens that may do everything; null if reading needs no token. */
  all: readonly string[] | null
  /** The tokens that may append requests, and nothing else. */
  ingest: readonly string[]
}

/** Refuses requests without a token, as `Bearer` or as the password of `Basic` for any user. */
export class TokenCheck {
  readonly #all: Buffer[] | null
  readonly #ingest: Buffer[]
  /** When the next wrong token may be answered. */
  #nextGuessAt = 0

  /** @throws ServerError TOKEN_INVALID. */
  constructor({ all, ingest }: Tokens) {
    if (all?.length === 0) throw tokenInvalid('is missing: the list of tokens is empty')
    if (ingest.some((token) => all?.includes(token))) {
      throw tokenInvalid("can't be both one for everything and one that only appends; expected two tokens")
    }
    this.#all = all?.map(checkedDigest) ?? null
    this.#ingest = ingest.map(checkedDigest)
  }

  /**
   * Accepts a valid token at once, however many wrong ones are waiting.
   *
   * @throws HttpError 401, for a wrong token only when its turn has come; 403 for a token that may
   *   only append.
   */
  async check(
    authorization: string | undefined,
    asked: Asked,
    onDisconnect: OnDisconnect,
  ): Promise<MayAppend> {
    if (this.#all === null && asked === 'reading') return 'every event'
    const shown = authorization === undefined ? null : shownToken(authorization)
    if (shown !== null) {
      const found = digest(shown)
      if (isOneOf(found, this.#all ?? [])) return 'every event'
      if (isOneOf(found, this.#ingest)) {
        if (asked === 'events') return 'requests only'
        const text =
          'Forbidden: found a token that may only append, with POST /v1/events; expected one that may read'
        throw new HttpError(403, text)
      }
    }
    if (authorization !== undefined) await this.#slowDown(onDisconnect)
    const found = authorization === undefined ? 'found no token' : 'found a wrong token'
    const message = `Unauthorized: ${found}; expected the server's token in 'Authorization: Bearer <token>'`
    throw new HttpError(401, message, { 'www-authenticate': CHALLENGE })
  }

  async #slowDown(onDisconnect: OnDisconnect): Promise<void> {
    const now = performance.now()
    const turn = Math.max(now, this.#nextGuessAt) + GUESS_INTERVAL_MS
    this.#nextGuessAt = Math.min(turn, now + MAX_GUESS_WAIT_MS)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#nextGuessAt - now)
      onDisconnect(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

/** @throws ServerError TOKEN_INVALID. */
function checkedDigest(token: string): Buffer {
  if (!TOKEN.test(token)) {
    const found = token === '' ? 'it is empty' : 'it has spaces, line breaks or characters beyond ASCII'
    throw tokenInvalid(`can't be used: ${found}; expected visible ASCII characters`)
  }
  if (token.length < MIN_LENGTH) {
    const found = `it has ${token.length} characters, expected at least ${MIN_LENGTH}`
    throw tokenInvalid(`can be guessed: ${found}; make one with \`openssl rand -hex 32\``)
  }
  return digest(token)
}

/**
 * Compares a digest with all others. It takes the same time wherever they differ and whichever is
 * equal, so that the time reveals nothing.
 */
function isOneOf(found: Buffer, digests: readonly Buffer[]): boolean {
  return digests.filter((one) => timingSafeEqual(found, one)).length > 0
}

function tokenInvalid(problem: string): ServerError {
  return new ServerError('TOKEN_INVALID', `the token ${problem}`)
}

function shownToken(authorization: string): string | null {
  const [, scheme, credentials = ''] = /^(Bearer|Basic) +(.+)$/i.exec(authorization) ?? []
  if (scheme?.toLowerCase() === 'bearer') return credentials
  if (scheme?.toLowerCase() !== 'basic') return null
  const decoded = Buffer.from(credentials, 'base64').toString()
  const colon = decoded.indexOf(':')
  return colon === -1 ? null : decoded.slice(colon + 1)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
