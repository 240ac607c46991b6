import type { IncomingHttpHeaders } from 'node:http'
import { HttpError } from './errors.js'

/**
 * Refuses what a page of another origin makes a browser ask: it can't read an answer, but it can make this machine work,
 * as by `<img src="http://127.0.0.1:8790/v1/stats?…">`. Browsers say where a request comes from, and pages can't change it;
 * other programs don't send the header.
 *
 * `same-site` is refused too: another port of localhost, or another name of the same domain, is someone else's page.
 * A link to the page itself is followed from anywhere: it is a file, and asks its questions from its own origin.
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
