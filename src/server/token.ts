import { createHash, timingSafeEqual } from 'node:crypto'
import { HttpError, ServerError } from './errors.js'

/** What a header can carry without quoting, and a person can copy. */
const TOKEN = /^[\x21-\x7e]+$/

// Browsers ask for a password only where Basic is offered, and take the first scheme that they know.
const CHALLENGE = ['Basic realm="request-journal", charset="UTF-8"', 'Bearer realm="request-journal"']

/** Tells whether a request shows the token: as `Bearer`, or as the password of `Basic`, whatever the user. */
export class TokenCheck {
  readonly #digest: Buffer

  /** @throws ServerError TOKEN_INVALID */
  constructor(token: string) {
    if (!TOKEN.test(token)) {
      const found = token === '' ? 'it is empty' : 'it has spaces, line breaks or characters beyond ASCII'
      throw new ServerError(
        'TOKEN_INVALID',
        `the token cannot be used: ${found}; expected visible ASCII characters`,
      )
    }
    this.#digest = digest(token)
  }

  /** @throws HttpError 401 */
  check(authorization: string | undefined): void {
    const shown = authorization === undefined ? null : shownToken(authorization)
    // Digests are of one length, and compared in a time that doesn't depend on where they differ.
    if (shown !== null && timingSafeEqual(digest(shown), this.#digest)) return
    const found = authorization === undefined ? 'found no token' : 'found another token'
    const message = `Unauthorized: ${found}; expected the server's token in 'Authorization: Bearer <token>'`
    throw new HttpError(401, message, { 'www-authenticate': CHALLENGE })
  }
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
