import { urlOf } from '../api/api.js'
import { shownMoment } from '../api/clock.js'
import { statsQuery } from '../api/questions.js'
import { announce, byId } from '../page/dom.js'
import { closeWhenLeft } from '../page/menu.js'
import { formatState } from '../page/page-state.js'

/** The menu to share what is shown: as a link, as a command, or on paper. */
export class ShareMenu {
  #menu = byId('share', HTMLDetailsElement)
  /** @type {Stats | null} */
  #stats = null

  /**
   * @param {PageStore} store
   * @param {(text: string) => void} onNoClipboard called with a text that couldn't be copied
   */
  constructor(store, onNoClipboard) {
    this.store = store
    this.onNoClipboard = onNoClipboard
    this.#menu.addEventListener('click', ({ target }) => {
      const choice = target instanceof HTMLButtonElement ? target.value : ''
      if (choice === '') return
      this.#menu.open = false
      if (choice === 'link') void this.copyLink()
      else if (choice === 'curl') void this.#copyCurl()
      else print()
    })
    closeWhenLeft(this.#menu)
  }

  /** @param {Stats} stats of the window that is shown */
  showAnswer(stats) {
    this.#stats = stats
  }

  /** Copies an address that shows the same tomorrow, and in another browser. */
  async copyLink() {
    const search = lastingState(this.store.state, this.#stats)
    await this.#copy('Link copied', location.origin + location.pathname + search)
  }

  /** Copies the command that asks the server the same question. */
  async #copyCurl() {
    const url = urlOf('v1/stats', statsQuery(this.store.state, shownMoment())).replaceAll("'", '%27')
    // The header does no harm if the server has no token.
    const command = `curl -s -H "authorization: Bearer $REQUEST_JOURNAL_TOKEN" '${url}'`
    await this.#copy('Command copied', command)
  }

  /**
   * @param {string} said the text to show once it has been copied
   * @param {string} text
   */
  async #copy(said, text) {
    try {
      await navigator.clipboard.writeText(text)
      const summary = this.#menu.querySelector('summary')
      if (summary === null) return
      announce(said)
      summary.textContent = said
      setTimeout(() => {
        summary.textContent = 'Share'
      }, 1500)
    } catch {
      this.onNoClipboard(text)
    }
  }
}

/**
 * Returns the query string of a view that stays the same: its window has fixed ends, and it doesn't
 * depend on what a browser remembers.
 *
 * @param {PageState} state
 * @param {Pick<Stats, 'since' | 'until' | 'currency'> | null} stats null: there is no answer yet
 */
function lastingState(state, stats) {
  if (stats === null) return formatState(state)
  const { since, until, currency = state.currency } = stats
  return formatState({ ...state, since, until, before: null, currency, timezone: state.timezone || 'UTC' })
}
