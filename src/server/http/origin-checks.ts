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
    // Listening on it will fail, and say why.
    return false
  }
}

/**
 * Refuses a Host header that isn't a name of this server.
 *
 * @param httpVersion a request of HTTP/1.0, as load balancers send to see whether anyone answers,
 *   needs no host.
 * @throws HttpError 400 for no host, 421 for a foreign one.
 */
export type HostCheck = (header: string | undefined, httpVersion: string) => void

/**
 * Makes the check of a server's hosts: a page in a browser can point a name of its own at
 * 127.0.0.1, and would then read what is served here. Ports aren't compared, because tunnels and
 * containers change them.
 *
 * @param allowedNames names beside the one that the server listens on, such as a proxy's.
 */
export function hostCheck(listenHost: string, allowedNames: readonly string[]): HostCheck {
  const names = new Set(['localhost', listenHost, ...allowedNames].map((name) => name.toLowerCase()))
  // Nobody can point an address at another machine.
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
 * Refuses what a page of another origin makes a browser ask. Such a page can't read an answer, but
 * it can make this machine work, as by `<img src="http://127.0.0.1:8790/v1/stats?…">`. Browsers say
 * where a request comes from, and pages can't change that; other programs don't send the header.
 *
 * `same-site` is refused too: another port of localhost, or another name of the same domain, is
 * someone else's page. A link to the dashboard may be followed from anywhere: it asks its own
 * questions, from its own origin.
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
    `Forbidden: a page of another origin asked (Sec-Fetch-Site: ${site}), expected this server's own page or no page`,
  )
}

function isLoopbackAddress(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, '')
  return plain === '::1' || plain.startsWith('127.')
}
