import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { ProxyError } from './errors.js'
import { TOKEN_HEADER } from './headers.js'
import { Refusal } from './refusal.js'

/** Only characters that a header carries unchanged: visible ASCII. */
const TOKEN = /^[\x21-\x7e]+$/

/** A shorter token could be guessed. */
const MIN_TOKEN_LENGTH = 16

export interface AccessOptions {
  host: string
  token: string | null
  isOpen: boolean
  allowedHosts: readonly string[]
}

/** Decides who may use a proxy. */
export class Access {
  readonly #tokenDigest: Buffer | null
  /** The names that a Host header may have; null if it isn't checked. */
  readonly #hostNames: ReadonlySet<string> | null

  /** @throws ProxyError TOKEN_REQUIRED, TOKEN_INVALID. */
  constructor({ host, token, isOpen, allowedHosts }: AccessOptions) {
    if (token === null && !isOpen && !isLoopback(host)) {
      const text = `${host} may be reached from other machines, and no token is set: give --token-file or REQUEST_JOURNAL_TOKEN, listen on 127.0.0.1, or say with --open that anyone who reaches it may use it`
      throw new ProxyError('TOKEN_REQUIRED', text)
    }
    this.#tokenDigest = token === null ? null : digest(checkedToken(token))
    const names = ['localhost', host, ...allowedHosts].map((name) => name.toLowerCase())
    this.#hostNames = token === null && !isOpen ? new Set(names) : null
  }

  /** @throws Refusal */
  check(headers: IncomingHttpHeaders): void {
    if (this.#tokenDigest !== null) this.#checkToken(headers[TOKEN_HEADER], this.#tokenDigest)
    else this.#checkHost(headers.host)
  }

  #checkToken(shown: string | string[] | undefined, expected: Buffer): void {
    // Digests have one length, and comparing them takes the same time wherever they differ.
    if (typeof shown === 'string' && timingSafeEqual(digest(shown), expected)) return
    const found = shown === undefined ? 'found no token' : 'found another token'
    throw new Refusal(401, 'invalid_token', `${found}, expected the proxy's in the header ${TOKEN_HEADER}`)
  }

  /**
   * Checks the name by which the proxy was addressed. A web page can point its own host name at
   * 127.0.0.1, and could then send requests to any upstream that needs no key. With an address as
   * the host, that isn't possible.
   */
  #checkHost(header: string | undefined): void {
    if (this.#hostNames === null) return
    const [, bracketed, plain = ''] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d*)?$/.exec(header ?? '') ?? []
    const name = (bracketed ?? plain).toLowerCase()
    if (isIP(name) !== 0 || this.#hostNames.has(name)) return
    const advice = `start the proxy with --allow-host ${name === '' ? '<name>' : name} if that is one of its names`
    throw new Refusal(421, 'unknown_host', `'${header ?? ''}' isn't a name of this proxy; ${advice}`)
  }
}

/** Whether only processes of this machine can reach what listens on this host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function checkedToken(token: string): string {
  if (!TOKEN.test(token)) {
    const found = token === '' ? 'it is empty' : 'it has spaces, line breaks or characters beyond ASCII'
    throw new ProxyError(
      'TOKEN_INVALID',
      `the token can't be used: ${found}; expected visible ASCII characters`,
    )
  }
  if (token.length >= MIN_TOKEN_LENGTH) return token
  const text = `the token can be guessed: it has ${token.length} characters, expected at least ${MIN_TOKEN_LENGTH}; make one with \`openssl rand -hex 32\``
  throw new ProxyError('TOKEN_INVALID', text)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
