import { button, element, headCell, setLabel } from '../page/dom.js'
import { formatClock, formatDay, formatExactly } from '../page/format.js'

/** @typedef {import('./chart.js').ChartData} ChartData */

/** The figures of a chart as a table, which can be shown in place of the drawing. */
export class TableView {
  #frame = element('div', 'table-frame')
  #toggle
  /** @type {ChartData | null} */
  #data = null

  /**
   * @param {HTMLElement} plot the drawing
   * @param {() => void} onDrawing called when the drawing is shown again
   */
  constructor(plot, onDrawing) {
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
  #table(data) {
    const { title, times, series, unit } = data
    // Percentiles can't be added up.
    const hasSums = unit !== 'ms' && series.length > 1
    const names = ['Time', ...series.map(({ name }) => name), ...(hasSums ? ['Total'] : [])]
    const row = (/** @type {string} */ name, /** @type {(number | null)[]} */ values) => {
      const shown = hasSums ? [...values, totalOf(values)] : values
      const cells = shown.map((value) => element('td', '', exactly(value, unit)))
      return element('tr', '', headCell('row', name), ...cells)
    }
    const rows = times.map((_, index) => {
      const values = series.map(({ values }) => values[index] ?? null)
      return row(momentOf(data, index), values)
    })
    const totals = series.map(({ total }) => total)
    return element(
      'table',
      '',
      element('caption', 'unseen', title),
      element('thead', '', element('tr', '', ...names.map((name) => headCell('col', name)))),
      // The newest rows come first.
      element('tbody', '', ...rows.reverse()),
      element('tfoot', '', row(unit === 'ms' ? 'All' : 'Total', totals)),
    )
  }
}

/**
 * When a bucket begins, as people say it.
 *
 * @param {ChartData} data
 * @param {number} index of the bucket
 */
export function momentOf({ times, bucketSeconds }, index) {
  const begin = new Date((times[index] ?? 0) * 1000).toISOString()
  return bucketSeconds >= 86_400 ? formatDay(begin) : `${formatDay(begin)} ${formatClock(begin).slice(0, 5)}`
}

/**
 * A value with all of its digits. The unit of money is in the chart's title.
 *
 * @param {number | null} value
 * @param {ChartData['unit']} unit
 */
function exactly(value, unit) {
  return unit === 'ms' && value !== null ? `${formatExactly(value)} ms` : formatExactly(value)
}

/**
 * The sum of what is known; null if nothing is.
 *
 * @param {(number | null)[]} values
 */
function totalOf(values) {
  return values.reduce((total, value) => (value === null ? total : (total ?? 0) + value), null)
}
