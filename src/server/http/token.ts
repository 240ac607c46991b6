import { createHash, timingSafeEqual } from 'node:crypto'
import { ServerError } from '../errors.js'
import type { WhenLeft } from './bounds.js'
import { HttpError } from './errors.js'

/** The characters that a header can carry without quoting, and that a person can copy. */
const TOKEN = /^[\x21-\x7e]+$/

/** A shorter one can be guessed. */
const MIN_LENGTH = 16

/** Wrong tokens are answered one after the other, with this much time between them. */
const GUESS_INTERVAL_MS = 100
/** The longest that a wrong token waits: a longer queue would only hold connections. */
const MAX_GUESS_WAIT_MS = 10_000

// Browsers ask for a password only if Basic is offered, and take the first scheme that they know.
const CHALLENGE = ['Basic realm="request-journal", charset="UTF-8"', 'Bearer realm="request-journal"']

/** Refuses requests without the token, as `Bearer` or as the password of `Basic` for any user. */
export class TokenCheck {
  readonly #digest: Buffer
  /** When the next wrong token may be answered. */
  #nextGuessAt = 0

  /** @throws ServerError TOKEN_INVALID. */
  constructor(token: string) {
    if (!TOKEN.test(token)) {
      const found = token === '' ? 'it is empty' : 'it has spaces, line breaks or characters beyond ASCII'
      throw tokenInvalid(`can't be used: ${found}; expected visible ASCII characters`)
    }
    if (token.length < MIN_LENGTH) {
      const found = `it has ${token.length} characters, expected at least ${MIN_LENGTH}`
      throw tokenInvalid(`can be guessed: ${found}; make one with \`openssl rand -hex 32\``)
    }
    this.#digest = digest(token)
  }

  /**
   * Lets the right token through at once, however many wrong ones wait.
   *
   * @throws HttpError 401; for a wrong token once its turn has come.
   */
  async check(authorization: string | undefined, whenLeft: WhenLeft): Promise<void> {
    const shown = authorization === undefined ? null : shownToken(authorization)
    // Digests have one length, and comparing them takes the same time wherever they differ.
    if (shown !== null && timingSafeEqual(digest(shown), this.#digest)) return
    if (authorization !== undefined) await this.#slowDown(whenLeft)
    const found = authorization === undefined ? 'found no token' : 'found another token'
    const message = `Unauthorized: ${found}; expected the server's token in 'Authorization: Bearer <token>'`
    throw new HttpError(401, message, { 'www-authenticate': CHALLENGE })
  }

  async #slowDown(whenLeft: WhenLeft): Promise<void> {
    const now = performance.now()
    const turn = Math.max(now, this.#nextGuessAt) + GUESS_INTERVAL_MS
    this.#nextGuessAt = Math.min(turn, now + MAX_GUESS_WAIT_MS)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#nextGuessAt - now)
      whenLeft(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
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
