import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { HttpError } from './errors.js'

/** Whether only processes of this machine reach a server that listens on a host. */
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
 * Refuses requests whose Host is none of ours: a page in a browser can point a name of its own at 127.0.0.1, and would
 * then read what is served here. Ports are not compared, because tunnels and containers change them.
 */
export class HostCheck {
  readonly #names: ReadonlySet<string>
  readonly #takesAddresses: boolean

  /** @param allowedNames names beside the one that is listened on, such as that of a proxy. */
  constructor(listenHost: string, allowedNames: readonly string[]) {
    this.#names = new Set(['localhost', listenHost, ...allowedNames].map((name) => name.toLowerCase()))
    // Nobody can point an address at another machine.
    this.#takesAddresses = isIP(listenHost) !== 0 && !isLoopbackAddress(listenHost)
  }

  /**
   * @param httpVersion a request of HTTP/1.0, as load balancers send to look whether anyone answers, needs no host.
   * @throws HttpError 400 for no host, 421 for a foreign one.
   */
  check(header: string | undefined, httpVersion: string): void {
    // No browser speaks it.
    if (header === undefined && httpVersion === '1.0') return
    if (header === undefined || header === '')
      throw new HttpError(400, 'Invalid request: the Host header is missing')
    const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d*)?$/.exec(header) ?? []
    const name = (bracketed ?? plain ?? '').toLowerCase()
    if (this.#names.has(name)) return
    if (isIP(name) !== 0 && (this.#takesAddresses || isLoopbackAddress(name))) return
    const advice = `start the server with --allow-host ${name === '' ? '<name>' : name} if that is one of its names`
    throw new HttpError(421, `Misdirected request: '${header}' is not served here; ${advice}`)
  }
}

function isLoopbackAddress(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, '')
  return plain === '::1' || plain.startsWith('127.')
}
