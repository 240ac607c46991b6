import { button, element, setLabel } from '../page/dom.js'
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
  #table({ title, times, series, bucketSeconds, unit }) {
    // Percentiles can't be added up.
    const hasSums = unit !== 'ms' && series.length > 1
    const head = element('tr', '', column('Time'), ...series.map(({ name }) => column(name)))
    if (hasSums) head.append(column('Total'))
    const row = (/** @type {string} */ name, /** @type {(number | null)[]} */ values) => {
      const title = element('th', '', name)
      title.scope = 'row'
      const shown = hasSums ? [...values, totalOf(values)] : values
      return element('tr', '', title, ...shown.map((value) => element('td', '', exactly(value, unit))))
    }
    const rows = times.map((seconds, index) =>
      row(
        momentOf(seconds, bucketSeconds),
        series.map(({ values }) => values[index] ?? null),
      ),
    )
    const whole = row(
      unit === 'ms' ? 'All' : 'Total',
      series.map(({ total }) => total),
    )
    return element(
      'table',
      '',
      element('caption', 'unseen', title),
      element('thead', '', head),
      // The newest rows come first.
      element('tbody', '', ...rows.reverse()),
      element('tfoot', '', whole),
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

/** @param {string} name */
function column(name) {
  const head = element('th', '', name)
  head.scope = 'col'
  return head
}
