import { ApiError, ask, askHealth } from '../api/api.js'
import { button, byId, copyButton, element } from './dom.js'
import { formatClock, formatCompact, formatMs } from './format.js'
import { zoneCity } from './zone.js'

/** @typedef {'overview' | 'requests'} Part the part of the page that failed */

const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 15_000
const HEALTH_EVERY_MS = 15_000
/** A smaller lag is normal while the projector works. */
const USUAL_LAG_SECONDS = 10

/**
 * Shows in banners above the page if the server doesn't answer or the projector doesn't keep up.
 * While the server doesn't answer, it is asked again, at growing intervals. Once it answers, the
 * page loads again.
 */
export class Connection {
  #root = byId('banners', HTMLElement)
  /** @type {Map<string, HTMLElement>} */
  #banners = new Map()
  #retryMs = FIRST_RETRY_MS
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry
  /** @type {Date | null} */
  #lastAnswer = null

  /** @param {() => void} onBack called when the server answers again */
  constructor(onBack) {
    this.onBack = onBack
    setInterval(() => {
      if (document.visibilityState === 'visible' && this.#retry === undefined) void this.checkHealth()
    }, HEALTH_EVERY_MS)
  }

  /**
   * Notes that the server has answered: what is shown is current.
   *
   * @param {Part} part
   */
  succeeded(part) {
    this.#lastAnswer = new Date()
    // The text of the window, on the same line, names the zone.
    byId('freshness', HTMLElement).textContent = formatClock(this.#lastAnswer.toISOString())
    this.#hide('server')
    this.#hide(part)
    this.#stopRetrying()
  }

  /**
   * @param {'address' | 'download' | 'share'} key
   * @param {string} title
   * @param {string} text
   */
  showNote(key, title, text) {
    this.#show(key, { title, text, action: button('Close', () => this.#hide(key)) })
  }

  /** @param {readonly string[]} notUnderstood the parts of the page's URL that it doesn't know */
  showAddress(notUnderstood) {
    if (notUnderstood.length === 0) return this.#hide('address')
    const text = `The page ignores ${notUnderstood.join('; ')}.`
    this.showNote('address', 'A part of this page’s address isn’t understood.', text)
  }

  /**
   * @param {Part} part
   * @param {unknown} error an error that was thrown by a question to the server; an abort is
   *   ignored
   */
  failed(part, error) {
    if (error instanceof DOMException && error.name === 'AbortError') return
    if (!(error instanceof ApiError)) throw error
    // The first steps, in place of the charts, say so.
    if (error.kind === 'waits') return
    if (error.kind === 'unreachable') this.#unreachable()
    else if (error.kind === 'unauthorized') {
      this.#show('token', {
        title: 'The server requires its token.',
        text: 'Reload the page and enter the token as the password, with any user name.',
        action: button('Reload', () => location.reload()),
      })
    } else {
      const [title, action] =
        error.kind === 'refused'
          ? ['The server can’t answer this.', {}]
          : ['The server has failed.', { action: button('Try again', this.onBack) }]
      this.#show(part, { title, text: error.message, ...action })
    }
  }

  /** Asks `/healthz`, and shows a banner if the projector lags or doesn't run. */
  async checkHealth() {
    try {
      await this.#lookAtHealth()
    } catch (error) {
      this.failed('overview', error)
    }
  }

  #unreachable() {
    const seen = this.#lastAnswer
    const text =
      seen === null ? '' : `What you see here is as of ${formatClock(seen.toISOString())} ${zoneCity()}. `
    this.#show('server', {
      title: 'The server doesn’t answer.',
      text: `${text}Trying again …`,
      action: button('Try now', () => void this.#tryAgain()),
    })
    if (this.#retry === undefined) this.#retryLater()
  }

  #retryLater() {
    this.#retry = setTimeout(() => void this.#tryAgain(), this.#retryMs)
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2)
  }

  async #tryAgain() {
    clearTimeout(this.#retry)
    try {
      await this.#lookAtHealth()
    } catch {
      this.#retryLater()
      return
    }
    this.#stopRetrying()
    this.onBack()
  }

  #stopRetrying() {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#retryMs = FIRST_RETRY_MS
  }

  async #lookAtHealth() {
    try {
      await this.#showHealth(await askHealth())
    } catch (error) {
      if (!(error instanceof ApiError) || error.kind !== 'refused') throw error
      const text = `${error.message}. A proxy in front of the server has to pass it on.`
      this.#show('lag', { title: 'It isn’t known whether new requests appear.', text })
    }
  }

  /** @param {Partial<import('../../health/health-report.js').HealthReport>} health */
  async #showHealth({ projector_running: isRunning, lag_seconds: seconds, lag_bytes: bytes, problems = [] }) {
    // If the first steps are shown, they already say what is missing.
    if (!byId('welcome', HTMLElement).hidden) return this.#hide('lag')
    const isBehind = (seconds ?? 0) > USUAL_LAG_SECONDS
    const waiting = isBehind
      ? `${formatCompact(bytes)} bytes of the journal are not in these figures; the oldest have waited for ${formatMs((seconds ?? 0) * 1000)}. `
      : ''
    if (isRunning === false) {
      const command = element('code', '', await projectCommand())
      const text = `${waiting}New requests don’t appear. Start it: ${command.textContent}`
      this.#show('lag', { title: 'No projector is running.', text, action: copyButton(command) })
    } else if (isBehind) this.#show('lag', { title: 'The projector is behind.', text: waiting })
    else if (problems.length > 0)
      this.#show('lag', { title: 'The server reports a problem.', text: problems.join('; ') })
    else this.#hide('lag')
  }

  /**
   * @param {Part | 'server' | 'token' | 'lag' | 'address' | 'download' | 'share'} key
   * @param {{ title: string, text: string, action?: HTMLElement }} content
   */
  #show(key, { title, text, action }) {
    const wanted = `${title} ${text}`
    const shown = this.#banners.get(key)
    // A live region mustn't repeat itself.
    if (shown?.dataset['text'] === wanted) return
    // Figures and list may be refused for the same reason: one banner is enough.
    const isSaid = [...this.#banners.values()].some(({ dataset }) => dataset['text'] === wanted)
    if (isSaid) return this.#hide(key)
    const banner = element(
      'div',
      ['lag', 'address', 'download', 'share'].includes(key) ? 'banner' : 'banner is-bad',
      element('strong', '', title),
      element('span', '', text),
    )
    banner.dataset['text'] = wanted
    if (action !== undefined) banner.append(action)
    if (shown === undefined) this.#root.append(banner)
    else shown.replaceWith(banner)
    this.#banners.set(key, banner)
  }

  /** @param {Part | 'server' | 'token' | 'lag' | 'address' | 'download' | 'share'} key */
  #hide(key) {
    this.#banners.get(key)?.remove()
    this.#banners.delete(key)
  }
}

/** Returns the command that starts a projector, for the folder in which the server was started. */
async function projectCommand() {
  /** @type {import('../../first-steps/first-steps.js').FirstSteps} */
  const { steps } = await ask('v1/first-steps')
  const step = steps.find(({ command }) => / project /.test(command))
  return step?.command ?? 'request-journal project'
}
