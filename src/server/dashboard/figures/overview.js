import { ApiError, ask } from '../api/api.js'
import { shownMoment } from '../api/clock.js'
import { seriesQuery, statsQuery } from '../api/questions.js'
import { OverviewCharts } from '../charts/overview-charts.js'
import { separatesAttempts } from '../page/page-state.js'
import { beforeName, windowBefore } from '../page/window-before.js'
import { Failures } from './failures.js'
import { Tiles } from './tiles.js'
import { hideWelcome, showWelcome } from './welcome.js'

/** Asks for the figures of the window, and shows them as tiles and charts. */
export class Overview {
  #tiles
  #charts
  #failures
  #asking = new AbortController()

  /**
   * @param {object} hooks
   * @param {(sinceSeconds: number, beforeSeconds: number) => void} hooks.onSelect
   * @param {import('../charts/overview-charts.js').NameChooser} hooks.chooserOf for the names in
   *   the legend of the costs
   * @param {() => void} hooks.onOthers called to show the names that have no place in that legend
   * @param {(status: string) => void} hooks.onStatus called when an error status is chosen
   * @param {(currency: Currency) => void} hooks.onUnpriced called to show the requests without a
   *   cost
   * @param {(stats: Stats) => void} hooks.onStats called each time there are new figures
   */
  constructor({ onSelect, chooserOf, onOthers, onStatus, onUnpriced, onStats }) {
    this.#tiles = new Tiles(onUnpriced)
    this.#charts = new OverviewCharts({ onSelect, chooserOf, onOthers })
    this.#failures = new Failures(onStatus)
    this.onStats = onStats
  }

  /**
   * Asks for everything, and shows each part when its answer arrives. A later call cancels an
   * earlier one.
   *
   * @param {PageState} state
   * @param {{ isOther: boolean }} options isOther: what is shown now is not just older, but the
   *   answer to another question
   * @throws {import('../api/api.js').ApiError} if any part failed
   */
  async load(state, { isOther }) {
    this.#asking.abort()
    this.#asking = new AbortController()
    const { signal } = this.#asking
    if (isOther) this.#tiles.setBusy(true)
    const stats = askStats(state, signal)
    // Older figures may stay, since the page says how old they are; those of another question may
    // not.
    const clear = (/** @type {{ clear(): void }} */ part) => {
      if (isOther && !signal.aborted) part.clear()
    }
    const results = await Promise.allSettled([
      this.#showFigures(state, stats, signal).catch(async (error) => {
        clear(this.#tiles)
        if (error instanceof ApiError && error.kind === 'waits') await showWelcome(signal)
        throw error
      }),
      this.#showCharts(state, stats, signal).catch((error) => {
        clear(this.#charts)
        throw error
      }),
      stats
        .then((stats) => this.#failures.load(state, stats, { isOther, signal }))
        .catch((error) => {
          clear(this.#failures)
          throw error
        }),
    ])
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** Repaints the charts in the colours of a new theme. */
  repaint() {
    this.#charts.repaint()
  }

  /**
   * @param {PageState} state
   * @param {Promise<Stats>} answer
   * @param {AbortSignal} signal
   */
  async #showFigures(state, answer, signal) {
    const stats = await answer
    if (stats.empty === true && (await hasNoRows(signal))) await showWelcome(signal)
    else hideWelcome()
    this.#tiles.show(stats, separatesAttempts(state))
    this.onStats(stats)
    try {
      // In the same currency, even if the window before has costs in the other one only.
      const currency = stats.currency ?? ''
      const before = await askStats(
        { ...state, ...windowBefore(stats, state, shownMoment()), currency },
        signal,
      )
      this.#tiles.compare(before, beforeName(state, shownMoment()))
    } catch (error) {
      if (!signal.aborted) this.#tiles.compare(null, beforeName(state, shownMoment()))
      throw error
    }
  }

  /**
   * @param {PageState} state
   * @param {Promise<Stats>} answer
   * @param {AbortSignal} signal
   */
  async #showCharts(state, answer, signal) {
    const [series, stats] = await Promise.all([
      ask('v1/series', seriesQuery(state, shownMoment()), signal),
      answer,
    ])
    this.#charts.show(/** @type {Series} */ (series), stats)
  }
}

/**
 * @param {PageState} state
 * @param {AbortSignal} signal
 * @returns {Promise<Stats>}
 */
async function askStats(state, signal) {
  return await ask('v1/stats', statsQuery(state, shownMoment()), signal)
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether the database has no row, at any time
 */
async function hasNoRows(signal) {
  const query = new URLSearchParams({ dimension: 'model', limit: '1' })
  const { names } = /** @type {NameList} */ (await ask('v1/names', query, signal))
  return names.length === 0
}
