import { element } from '../page/dom.js'
import { formatShare } from '../page/format.js'

const SVG = 'http://www.w3.org/2000/svg'
const [WIDTH, HEIGHT] = [64, 18]

/**
 * Returns the sum of which values are shares; null if they can't be, for example with a refund.
 *
 * @param {(number | null)[]} values
 */
export function wholeOf(values) {
  const sum = values.reduce((/** @type {number} */ total, value) => total + (value ?? 0), 0)
  return sum > 0 && values.every((value) => value === null || value >= 0) ? sum : null
}

/**
 * A bar and a percentage.
 *
 * @param {number | null} value
 * @param {number | null} whole
 * @param {string} color
 */
export function shareOf(value, whole, color) {
  const bar = element('span', 'bar-line')
  const isKnown = value !== null && whole !== null
  bar.style.background = `var(${color})`
  bar.hidden = !isKnown
  if (isKnown) bar.style.width = `${(value / whole) * 100}%`
  const share = element('span', 'share', isKnown ? formatShare(value, whole) : '')
  return [element('span', 'bar-frame', bar), share]
}

/**
 * The trend of one name, as a line that is scaled to its own largest value, so that the trend of
 * small values can be seen too. Screen readers have the chart's table instead.
 *
 * @param {(number | null)[]} values
 * @param {string} color
 */
export function trendOf(values, color) {
  const most = Math.max(...values.map((value) => value ?? 0))
  const least = Math.min(0, ...values.map((value) => value ?? 0))
  const step = WIDTH / Math.max(1, values.length - 1)
  const points = values.flatMap((value, index) =>
    value === null || most === least
      ? []
      : [
          `${(index * step).toFixed(1)},${(HEIGHT - 1 - ((value - least) / (most - least)) * (HEIGHT - 2)).toFixed(1)}`,
        ],
  )
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('class', 'trend')
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
  svg.setAttribute('aria-hidden', 'true')
  const line = document.createElementNS(SVG, 'polyline')
  line.setAttribute('points', points.join(' '))
  line.style.stroke = `var(${color})`
  svg.append(line)
  return svg
}
