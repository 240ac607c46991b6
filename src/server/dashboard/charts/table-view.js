import { button, element, setLabel } from '../page/dom.js'
import { formatClock, formatDay } from '../page/format.js'

/** @typedef {import('./chart.js').ChartData} ChartData */

/** The figures of a chart as a table, which can be shown in place of the drawing. */
export class TableView {
  #frame = element('div', 'table-frame')
  #toggle
  /** @type {ChartData | null} */
  #data = null

  /**
   * @param {HTMLElement} plot the drawing
   * @param {(value: number | null) => string} format
   * @param {() => void} onDrawing called when the drawing is shown again
   */
  constructor(plot, format, onDrawing) {
    this.format = format
    this.#frame.hidden = true
    this.#frame.tabIndex = 0
    this.#frame.setAttribute('role', 'region')
    this.#toggle = button('Table', () => {
      this.#frame.hidden = !this.#frame.hidden
      plot.hidden = !this.#frame.hidden
      this.#draw()
      if (!plot.hidden) onDrawing()
    })
    this.#toggle.className = 'quiet table-toggle'
    plot.after(this.#frame)
    plot.parentElement?.querySelector('header')?.append(this.#toggle)
  }

  /** @param {ChartData} data */
  show(data) {
    this.#data = data
    this.#draw()
  }

  #draw() {
    const [data, isShown] = [this.#data, !this.#frame.hidden]
    this.#toggle.setAttribute('aria-pressed', String(isShown))
    setLabel(this.#toggle, `Table of ${data?.title ?? 'the chart'}`)
    setLabel(this.#frame, data?.title ?? 'Table')
    // A chart may have hundreds of moments, so the table is made only while it is shown.
    this.#frame.replaceChildren(...(isShown && data !== null ? [this.#table(data)] : []))
  }

  /** @param {ChartData} data */
  #table({ title, times, series, bucketSeconds }) {
    const head = element('tr', '', column('Time'), ...series.map(({ name }) => column(name)))
    const rows = times.map((seconds, index) => {
      const time = element('th', '', momentOf(seconds, bucketSeconds))
      time.scope = 'row'
      const cells = series.map(({ values }) => element('td', '', this.format(values[index] ?? null)))
      return element('tr', '', time, ...cells)
    })
    return element(
      'table',
      '',
      element('caption', 'unseen', title),
      element('thead', '', head),
      // The newest rows come first.
      element('tbody', '', ...rows.reverse()),
    )
  }
}

/**
 * When a bucket begins, as people say it.
 *
 * @param {number} seconds since 1970
 * @param {number} bucketSeconds
 */
export function momentOf(seconds, bucketSeconds) {
  const begin = new Date(seconds * 1000).toISOString()
  return bucketSeconds >= 86_400 ? formatDay(begin) : `${formatDay(begin)} ${formatClock(begin).slice(0, 5)}`
}

/** @param {string} name */
function column(name) {
  const head = element('th', '', name)
  head.scope = 'col'
  return head
}
