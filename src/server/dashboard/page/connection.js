import { ApiError, ask, askHealth } from '../api/api.js'
import { button, byId, copyButton, element } from './dom.js'
import { formatClock, formatCompact, formatMs } from './format.js'
import { zoneCity } from './zone.js'

/** @typedef {'overview' | 'requests'} Part the part of the page that failed */

const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 15_000
const HEALTH_EVERY_MS = 15_000
/** A projector that lags by less is at work, not in trouble. */
const USUAL_LAG_SECONDS = 10

/**
 * Shows whether the server answers and the projector keeps up, as banners above the page. While the
 * server is gone it is asked again and again, more and more rarely, and the page is told once it is
 * back.
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

  /** @param {() => void} onBack the server answers again */
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
    // The window beside it says in which zone.
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

  /** @param {readonly string[]} notUnderstood the parts of the page's URL that mean nothing here */
  showAddress(notUnderstood) {
    if (notUnderstood.length === 0) return this.#hide('address')
    const text = `It has ${notUnderstood.join('; ')}. The page ignores that.`
    this.showNote('address', 'Part of this page’s address isn’t understood.', text)
  }

  /**
   * @param {Part} part
   * @param {unknown} error what asking the server threw; an abort is ignored
   */
  failed(part, error) {
    if (error instanceof DOMException && error.name === 'AbortError') return
    if (!(error instanceof ApiError)) throw error
    // The page says that in place of the figures.
    if (error.kind === 'waits') return
    if (error.kind === 'unreachable') this.#unreachable()
    else if (error.kind === 'unauthorized') {
      this.#show('token', {
        title: 'The server asks for its token.',
        text: 'Load the page again and give the token as the password; any user name will do.',
        action: button('Load again', () => location.reload()),
      })
    } else {
      const [title, action] =
        error.kind === 'refused'
          ? ['The server can’t answer this.', {}]
          : ['The server has failed.', { action: button('Try again', this.onBack) }]
      this.#show(part, { title, text: error.message, ...action })
    }
  }

  /** Asks `/healthz`, and says so if the projector lags or doesn't run. */
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
      const text = `${error.message}. A proxy before the server has to pass it on.`
      this.#show('lag', { title: 'Whether new requests appear isn’t known.', text })
    }
  }

  /** @param {Partial<import('../../health/health-report.js').HealthReport>} health */
  async #showHealth({ projector_running: isRunning, lag_seconds: seconds, lag_bytes: bytes, problems = [] }) {
    // The first steps say what is missing already.
    if (!byId('welcome', HTMLElement).hidden) return this.#hide('lag')
    const isBehind = (seconds ?? 0) > USUAL_LAG_SECONDS
    const waiting = isBehind
      ? `${formatCompact(bytes)} bytes of the journal are not in these figures; the first has waited for ${formatMs((seconds ?? 0) * 1000)}. `
      : ''
    if (isRunning === false) {
      const command = element('code', '', await projectCommand())
      const text = `${waiting}New requests don’t appear. Start it: ${command.textContent}`
      this.#show('lag', { title: 'No projector runs.', text, action: copyButton(command) })
    } else if (isBehind) this.#show('lag', { title: 'The projector is behind.', text: waiting })
    else if (problems.length > 0)
      this.#show('lag', { title: 'The server is not well.', text: problems.join('; ') })
    else this.#hide('lag')
  }

  /**
   * @param {Part | 'server' | 'token' | 'lag' | 'address' | 'download' | 'share'} key
   * @param {{ title: string, text: string, action?: HTMLElement }} content
   */
  #show(key, { title, text, action }) {
    const wanted = `${title} ${text}`
    const shown = this.#banners.get(key)
    // A live region mustn't say the same again and again.
    if (shown?.dataset['text'] === wanted) return
    // Figures and list may be refused for the same reason.
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

/** The command that starts a projector, as it works where the server was started. */
async function projectCommand() {
  /** @type {import('../../first-steps/first-steps.js').FirstSteps} */
  const { steps } = await ask('v1/first-steps')
  const step = steps.find(({ command }) => / project /.test(command))
  return step?.command ?? 'request-journal project'
}
