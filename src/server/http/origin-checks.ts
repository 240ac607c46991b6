import { lookup } from 'node:dns/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { HttpError } from './errors.js'

/** Whether only processes of this machine can reach a server that listens on this host. */
export async function isLoopback(host: string): Promise<boolean> {
  if (isIP(host) !== 0) return isLoopbackAddress(host)
  try {
    const addresses = await lookup(host, { all: true })
    return addresses.every(({ address }) => isLoopbackAddress(address))
  } catch {
    // Listening on this host will fail, with a message that says why.
    return false
  }
}

/**
 * Refuses a Host header that isn't a name of this server.
 *
 * @param httpVersion a request of HTTP/1.0 needs no host: load balancers send such requests to find
 *   out whether the server answers.
 * @throws HttpError 400 for no host, 421 for a foreign one.
 */
export type HostCheck = (header: string | undefined, httpVersion: string) => void

/**
 * Makes the check of the Host header for a server. Without it, a page in a browser could point a
 * name of its own at 127.0.0.1, and then read what is served here. Ports aren't compared, because
 * tunnels and containers change them.
 *
 * @param allowedNames further names that are accepted, such as the name of a proxy.
 */
export function hostCheck(listenHost: string, allowedNames: readonly string[]): HostCheck {
  const names = new Set(['localhost', listenHost, ...allowedNames].map((name) => name.toLowerCase()))
  // Unlike a name, an address can't be made to point at another machine.
  const takesAddresses = isIP(listenHost) !== 0 && !isLoopbackAddress(listenHost)
  return (header, httpVersion) => {
    // No browser speaks HTTP/1.0.
    if (header === undefined && httpVersion === '1.0') return
    if (header === undefined || header === '')
      throw new HttpError(400, 'Invalid request: the Host header is missing')
    const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d*)?$/.exec(header) ?? []
    const name = (bracketed ?? plain ?? '').toLowerCase()
    if (names.has(name)) return
    if (isIP(name) !== 0 && (takesAddresses || isLoopbackAddress(name))) return
    const advice = `start the server with --allow-host ${name === '' ? '<name>' : name} if that is one of its names`
    throw new HttpError(421, `Misdirected request: '${header}' is not served here; ${advice}`)
  }
}

/**
 * Refuses requests that a page of another origin has made a browser send. Such a page can't read
 * the answer, but it can make this machine work, for example with `<img
 * src="http://127.0.0.1:8790/v1/stats?…">`. Browsers say in a header where a request comes from,
 * and pages can't change that; other programs don't send the header.
 *
 * `same-site` is refused too, because a page on another port of localhost, or under another name of
 * the same domain, is someone else's. A link to the dashboard may be followed from anywhere: the
 * dashboard asks its own questions, from its own origin.
 *
 * @throws HttpError 403
 */
export function checkFetchSite(headers: IncomingHttpHeaders, path: string): void {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return
  const isLink = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
  if (isLink && path === '/') return
  throw new HttpError(
    403,
    `Forbidden: a page of another origin asked (Sec-Fetch-Site: ${site}), expected this server's own page or another program`,
  )
}

function isLoopbackAddress(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, '')
  return plain === '::1' || plain.startsWith('127.')
}
