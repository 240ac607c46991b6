import { element } from '../page/dom.js'
import { formatMs } from '../page/format.js'

/** @typedef {import('../../../queries/index.js').RequestEntry} RequestEntry */

/**
 * How a request ended, in badges and the words of its error.
 *
 * @param {RequestEntry} entry
 */
export function outcomeCell({ success, streaming, error, timing, state, tokens, attempt = null }) {
  /** @type {(string | Node)[]} */
  const parts = []
  if (!success)
    parts.push(element('span', 'badge is-bad', error?.status == null ? 'failed' : `failed ${error.status}`))
  else if (error?.status != null) parts.push(element('span', 'badge', String(error.status)))
  if (state === 'open') parts.push(element('span', 'badge is-open', 'open stream'))
  else if (state === 'unfinished') parts.push(element('span', 'badge is-warned', 'unfinished stream'))
  else if (streaming) {
    const duration = timing.stream_duration_ms
    parts.push(element('span', 'badge', duration === undefined ? 'stream' : `stream ${formatMs(duration)}`))
  }
  if (attempt !== null && attempt > 0) parts.push(element('span', 'badge', `retry ${attempt}`))
  const hasEnded = state !== 'open' && state !== 'unfinished'
  if (streaming && success && hasEnded && tokens.input === null && tokens.output === null) {
    const mark = element('span', 'badge is-warned', 'tokens unknown')
    mark.title = 'Its tokens weren’t logged, so its cost can’t be computed with a price'
    parts.push(mark)
  }
  if (error?.message != null) parts.push(element('span', 'why', error.message))
  const isOk = success && hasEnded && error?.status == null
  return isOk ? [element('span', 'why', 'ok'), ' ', ...parts] : parts
}
