import { ask, scopeQuery } from './api.js'
import { byId } from './dom.js'
import { OverviewCharts } from './overview-charts.js'
import { Tiles } from './tiles.js'
import { beforeName, windowBefore } from './time-window.js'
import { showWelcome } from './welcome.js'

/**
 * @typedef {import('./page-state.js').PageState} PageState
 * @typedef {import('../../queries/index.js').Stats} Stats
 * @typedef {import('../../queries/index.js').Series} Series
 */

/** Tiles and charts: what is asked, and what is shown of it. */
export class Overview {
  #tiles = new Tiles()
  #charts
  #asking = new AbortController()

  /**
   * @param {object} hooks
   * @param {(sinceSeconds: number, untilSeconds: number) => void} hooks.onSelect
   * @param {(stats: Stats) => void} hooks.onStats each time the figures of the window have come, models included
   */
  constructor({ onSelect, onStats }) {
    this.#charts = new OverviewCharts(onSelect)
    this.onStats = onStats
  }

  /**
   * Asks for everything and shows each part as it comes. A later call makes an earlier one void.
   *
   * @param {PageState} state
   * @param {{ isOther: boolean }} options isOther: what stands there is of another question, not just older
   * @throws {import('./api.js').ApiError} when any part failed
   */
  async load(state, { isOther }) {
    this.#asking.abort()
    this.#asking = new AbortController()
    const { signal } = this.#asking
    if (isOther) this.#tiles.setBusy(true)
    const query = scopeQuery(state)
    query.set('by', state.by)
    try {
      const seriesAnswer = ask('/v1/series', query, signal)
      const stats = await this.#loadStats(state, signal, seriesAnswer)
      await Promise.all([
        seriesAnswer.then((series) => this.#charts.show(/** @type {Series} */ (series), stats)),
        this.#compare(state, stats, signal),
      ])
    } catch (error) {
      // Older figures may stay, with their age said; figures of another question may not.
      if (isOther && !signal.aborted) {
        this.#tiles.clear()
        this.#charts.clear()
      }
      throw error
    }
  }

  /** The theme has changed. */
  repaint() {
    this.#charts.repaint()
  }

  /**
   * @param {PageState} state
   * @param {AbortSignal} signal
   * @param {Promise<unknown>} alongside whose failure is reported later, by whoever waits for it
   */
  async #loadStats(state, signal, alongside) {
    alongside.catch(() => {})
    const query = scopeQuery(state)
    query.set('group_by', 'model')
    const stats = /** @type {Stats} */ (await ask('/v1/stats', withFigures(query), signal))
    const isEmpty = Object.keys(stats.models ?? {}).length === 0
    showWelcome(isEmpty)
    byId('charts', HTMLElement).hidden = isEmpty
    this.#tiles.show(stats)
    this.onStats(stats)
    return stats
  }

  /**
   * @param {PageState} state
   * @param {Stats} stats
   * @param {AbortSignal} signal
   */
  async #compare(state, stats, signal) {
    const name = beforeName(state)
    const { since, until } = windowBefore(stats)
    try {
      const query = scopeQuery({ ...state, since, until })
      this.#tiles.compare(await ask('/v1/stats', withFigures(query), signal), name)
    } catch (error) {
      if (!signal.aborted) this.#tiles.compare(null, name)
      throw error
    }
  }
}

/** @param {URLSearchParams} query */
function withFigures(query) {
  query.set('percentiles', 'true')
  query.set('unpriced', 'true')
  return query
}
