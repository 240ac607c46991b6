import { announce, button, element, setLabel, setTitle } from '../page/dom.js'
import { formatExactly } from '../page/format.js'
import { zoneName } from '../page/zone.js'
import { chartOptions } from './chart-options.js'
import { shareOf, trendOf, wholeOf } from './shares.js'
import { momentOf, TableView } from './table-view.js'

/**
 * @typedef {object} ChartSeries
 * @property {string} name
 * @property {string} color a CSS variable
 * @property {(number | null)[]} values null: unknown
 * @property {number | null} total shown in the legend while the pointer is at no moment
 * @property {string} [aside] shown in place of the count, if a part is unknown: how much of it
 * @property {string} [count] how many requests it is about, shown beside the total
 * @property {string} [exactCount] the same, with all digits
 * @property {() => void} [onChoose] called when the name is chosen
 *
 * @typedef {object} ChartData
 * @property {number[]} times when each bucket begins, in seconds since 1970
 * @property {number} bucketSeconds how long a bucket usually is: days may have 23 or 25 hours
 * @property {number} endSeconds when the last bucket ends
 * @property {ChartSeries[]} series bars from the bottom up
 * @property {string} title
 * @property {'' | 'sats' | 'usd' | 'ms'} unit of the values; empty: they are counts
 * @property {string} summary the chart in one sentence, for those who can't see it
 * @property {string} [note] shown in the middle if there is nothing to draw
 *
 * @typedef {object} ChartKind
 * @property {'bars' | 'lines'} kind bars are stacked, negative ones downwards
 * @property {boolean} isWhole whether values are whole numbers
 * @property {boolean} [hasShares] whether the legend is a table with the share of each value
 * @property {(value: number | null) => string} format
 * @property {import('./colors.js').Colors} colors
 * @property {(sinceSeconds: number, beforeSeconds: number) => void} onSelect the user has selected
 *   a stretch of time
 */

const LEAST_GAPPED_BAR_PX = 5

/** A card with a chart, and a legend with the figures of the moment at the pointer. */
export class Chart {
  #title
  #legend
  #moment = element('span', 'moment')
  #plot = element('div', 'plot')
  #table
  /** @type {import('uplot') | null} */
  #uplot = null
  #shape = ''
  /** @type {ChartData | null} */
  #data = null
  #width = 0
  /** Where each bar begins: a list for each column after the times. @type {number[][]} */
  #bases = []

  /**
   * @param {HTMLElement} card
   * @param {ChartKind} kind
   */
  constructor(card, kind) {
    this.card = card
    this.kind = kind
    const title = card.querySelector('h3')
    if (title === null) throw new Error(`#${card.id} has no title`)
    this.#title = title
    this.#legend = element('ul', kind.hasShares ? 'legend has-shares' : 'legend')
    title.after(this.#moment)
    this.#plot.tabIndex = 0
    this.#plot.setAttribute('role', 'img')
    this.#plot.setAttribute('aria-roledescription', 'chart')
    this.#plot.addEventListener('keydown', (event) => this.#onKey(event))
    this.#plot.addEventListener('blur', () => this.#point(null))
    card.append(this.#legend, this.#plot)
    this.#table = new TableView(this.#plot, () => this.#draw())
    card.setAttribute('aria-busy', 'true')
    new ResizeObserver(([entry]) => this.#resize(entry?.contentRect.width ?? 0)).observe(this.#plot)
  }

  /** @param {ChartData} data */
  show(data) {
    this.#data = data
    this.card.setAttribute('aria-busy', 'false')
    setLabel(this.#plot, `${data.summary} Use the left and right arrow keys to read each moment.`)
    this.#title.textContent = data.title
    this.#draw()
    this.#table.show(data)
    this.#drawLegend(this.#uplot?.cursor.idx ?? null)
  }

  /** Shows that nothing is known. */
  clear() {
    const title = this.#title.textContent ?? ''
    this.show({
      title,
      times: [],
      bucketSeconds: 60,
      endSeconds: 60,
      series: [],
      unit: '',
      summary: 'Not known.',
      note: 'Not known',
    })
  }

  /** Repaints the chart, because the colours have changed. */
  repaint() {
    // The paths have to be made anew: bars keep their colours in them.
    this.#uplot?.redraw(true)
  }

  #draw() {
    const data = this.#data
    const width = this.#plot.clientWidth
    if (data === null || width === 0) return
    if (globalThis.uPlot === undefined) {
      // uPlot's script is still loading. Deferred scripts have run by the time of this event.
      if (document.readyState === 'complete')
        this.#plot.replaceChildren(element('p', 'note', 'The chart’s script didn’t load: reload the page'))
      else addEventListener('DOMContentLoaded', () => this.#draw(), { once: true })
      return
    }
    this.#width = width
    const columns = this.kind.kind === 'lines' ? linesOf(data) : this.#stack(data)
    const isDense = width / data.times.length < LEAST_GAPPED_BAR_PX
    const names = data.series.map(({ name, color }) => [name, color])
    const shape = JSON.stringify([isDense, data.bucketSeconds, data.note, names, zoneName()])
    if (this.#uplot === null || shape !== this.#shape) {
      this.#uplot?.destroy()
      this.#plot.replaceChildren()
      const onPoint = (/** @type {number | null} */ index) => this.#drawLegend(index)
      const basesOf = (/** @type {number} */ column) => this.#bases[column - 1] ?? []
      const onStretch = (/** @type {number} */ start, /** @type {number} */ end) => this.#select(start, end)
      const height = this.#plot.clientHeight
      const setting = { ...this.kind, width, height, isDense, onPoint, onStretch, basesOf }
      this.#uplot = new globalThis.uPlot(chartOptions(data, setting), columns, this.#plot)
      this.#shape = shape
    } else this.#uplot.setData(columns)
    this.#uplot.setScale('x', { min: data.times[0] ?? 0, max: data.endSeconds })
    this.#plot.querySelector('.note')?.remove()
    if (data.note !== undefined) this.#plot.append(element('p', 'note', data.note))
  }

  /**
   * Stacks the bars: returns where each ends, the topmost series first, and stores in `#bases`
   * where each begins.
   *
   * @param {ChartData} data
   * @returns {import('uplot').AlignedData}
   */
  #stack({ times, series }) {
    const [above, below] = [times.map(() => 0), times.map(() => 0)]
    const stacked = series.map(({ values }) => {
      /** @type {{ bases: number[], ends: number[] }} */
      const bars = { bases: [], ends: [] }
      for (const [index, value] of values.entries()) {
        const sums = (value ?? 0) < 0 ? below : above
        const base = sums[index] ?? 0
        sums[index] = base + (value ?? 0)
        bars.bases.push(base)
        bars.ends.push(base + (value ?? 0))
      }
      return bars
    })
    stacked.reverse()
    this.#bases = stacked.map(({ bases }) => bases)
    return [times, ...stacked.map(({ ends }) => ends)]
  }

  /**
   * Selects the whole buckets whose edges are nearest, at least one.
   *
   * @param {number} startSeconds
   * @param {number} endSeconds
   */
  #select(startSeconds, endSeconds) {
    if (this.#data === null) return
    const edges = [...this.#data.times, this.#data.endSeconds]
    const nearest = (/** @type {number} */ seconds) =>
      edges.reduce(
        (found, edge, index) =>
          Math.abs(edge - seconds) < Math.abs((edges[found] ?? 0) - seconds) ? index : found,
        0,
      )
    const first = Math.min(nearest(startSeconds), edges.length - 2)
    const last = Math.max(nearest(endSeconds), first + 1)
    const [since, before] = [edges[first], edges[last]]
    if (since !== undefined && before !== undefined) this.kind.onSelect(since, before)
  }

  /** @param {number} width */
  #resize(width) {
    if (this.#uplot === null) this.#draw()
    else if (width > 0 && width !== this.#width) {
      this.#width = width
      this.#uplot.setSize({ width, height: this.#plot.clientHeight })
    }
  }

  /** @param {number | null} index of the bucket at the pointer */
  #drawLegend(index) {
    const data = this.#data
    if (data === null) return
    this.#moment.textContent = index === null ? '' : momentOf(data, index)
    const choices = [...this.#legend.querySelectorAll('button')]
    const focused = choices.findIndex((choice) => choice.matches(':focus'))
    const shown = data.series.map(({ values, total }) => (index === null ? total : (values[index] ?? null)))
    const whole = wholeOf(shown)
    const items = data.series.map(({ name, color, values, aside, count, exactCount, onChoose }, at) => {
      const swatch = element('span', 'swatch')
      swatch.style.background = `var(${color})`
      const value = shown[at] ?? null
      const label = onChoose === undefined ? element('span', 'name', name) : button(name, onChoose, 'name')
      setTitle(label, aside === undefined ? name : `${name}: ${aside}`)
      const amount = element('span', 'value', this.kind.format(value))
      if (value !== null) amount.title = `${formatExactly(value)} ${data.unit}`.trim()
      const item = element('li', '', swatch, label, amount)
      if (this.kind.hasShares) item.append(...shareOf(value, whole, color), trendOf(values, color))
      if (index === null && count !== undefined) {
        const text = element('span', aside === undefined ? 'count' : 'count is-partial', aside ?? count)
        text.title = exactCount ?? ''
        item.append(text)
      }
      return item
    })
    this.#legend.replaceChildren(...items)
    if (focused !== -1) this.#legend.querySelectorAll('button')[focused]?.focus()
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const data = this.#data
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (data === null || data.times.length === 0) return
    const last = data.times.length - 1
    const current = this.#uplot?.cursor.idx ?? null
    if (event.key === 'Home') this.#point(0)
    else if (event.key === 'End') this.#point(last)
    else if (event.key === 'Escape') this.#point(null)
    else if (step !== undefined)
      this.#point(current === null ? last : Math.min(last, Math.max(0, current + step)))
    else return
    event.preventDefault()
    const index = this.#uplot?.cursor.idx ?? null
    if (index !== null) announce(`${momentOf(data, index)}: ${this.#legend.innerText.replaceAll('\n', ' ')}`)
  }

  /** @param {number | null} index */
  #point(index) {
    const [uplot, data] = [this.#uplot, this.#data]
    if (uplot === null || data === null) return
    if (index === null) uplot.setCursor({ left: -10, top: -10 })
    else {
      const middle = (data.times[index] ?? 0) + data.bucketSeconds / 2
      uplot.setCursor({ left: uplot.valToPos(middle, 'x'), top: uplot.height / 3 })
    }
  }
}

/**
 * The points of the lines, each at the middle of its bucket.
 *
 * @param {ChartData} data
 * @returns {import('uplot').AlignedData}
 */
function linesOf({ times, series, bucketSeconds }) {
  return [times.map((time) => time + bucketSeconds / 2), ...series.map(({ values }) => values)]
}
