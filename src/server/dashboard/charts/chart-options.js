import { formatClock, formatDay } from '../page/format.js'
import { localTime, zoneName } from '../page/zone.js'

/**
 * @typedef {import('uplot')} UPlot
 * @typedef {import('./chart.js').ChartData} ChartData
 * @typedef {import('./chart.js').ChartKind & ChartSize} Setting
 *
 * @typedef {object} ChartSize
 * @property {number} width
 * @property {number} height
 * @property {boolean} isDense whether bars are too narrow for gaps between them
 * @property {(index: number | null) => void} onPoint
 * @property {(startSeconds: number, endSeconds: number) => void} onStretch the user has selected
 *   this
 * @property {(column: number) => number[]} basesOf returns where the bars of a column begin
 */

const AXIS_FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'
/** The distances between grid lines for whole values: no line may be between 0 and 1. */
const WHOLE_STEPS = Array.from({ length: 16 }, (_, power) =>
  [1, 2, 5].map((step) => step * 10 ** power),
).flat()
/** A narrower selection counts as a click. */
const LEAST_SELECTION_PX = 6

/**
 * Returns the options with which uPlot draws one of our charts.
 *
 * @param {ChartData} data
 * @param {Setting} setting
 * @returns {import('uplot').Options}
 */
export function chartOptions({ series, times, note }, setting) {
  const isKnown = times.length > 0
  const { kind, colors, width, height } = setting
  const drawn = kind === 'bars' ? [...series].reverse() : series
  return {
    width,
    height,
    legend: { show: false },
    tzDate: (seconds) => globalThis.uPlot.tzDate(new Date(seconds * 1000), zoneName()),
    padding: [8, 24, 0, 0],
    cursor: {
      y: false,
      points: { show: kind === 'lines', size: 7 },
      drag: { x: true, y: false, setScale: false },
      sync: { key: 'time' },
      // The bar under the pointer needn't be the one that begins nearest to it.
      ...(kind === 'bars' ? { dataIdx: bucketUnder } : {}),
    },
    scales: {
      x: { time: true, auto: false },
      y: { range: (_uplot, min, max) => [min < 0 ? min * 1.08 : 0, max > 0 ? max * 1.08 : min < 0 ? 0 : 1] },
    },
    axes: [
      {
        ...axisLook(colors),
        grid: { show: false },
        size: 28,
        space: 64,
        values: (_uplot, splits, _axis, _space, step) =>
          isKnown ? splits.map((seconds) => timeLabel(seconds, step)) : [],
      },
      {
        ...axisLook(colors),
        grid: { stroke: () => colors.get('--line'), width: 1 },
        size: (uplot, values) => widest(uplot, values) + 12,
        space: 40,
        ...(setting.isWhole ? { incrs: WHOLE_STEPS } : {}),
        // With a note in place of the data, there is nothing to measure.
        values: (_uplot, splits) =>
          splits.map((value) => (note !== undefined ? '' : value === 0 ? '0' : setting.format(value))),
      },
    ],
    series: [{}, ...drawn.map(({ name, color }) => seriesLook(name, color, setting))],
    hooks: {
      draw: [(uplot) => drawZero(uplot, colors.get('--control-line'))],
      setCursor: [(uplot) => setting.onPoint(uplot.cursor.idx ?? null)],
      setSelect: [(uplot) => select(uplot, setting)],
    },
  }
}

/**
 * @param {string} name
 * @param {string} color
 * @param {Setting} setting
 * @returns {import('uplot').Series}
 */
function seriesLook(name, color, { kind, colors, isDense, basesOf }) {
  const paint = () => colors.get(color)
  if (kind === 'lines') {
    return {
      label: name,
      stroke: paint,
      width: 1.75,
      points: { show: true, size: 4, fill: paint, filter: loneValues },
    }
  }
  const disp = stackedBy(basesOf)
  const bars = globalThis.uPlot.paths.bars?.({ size: [1, 48], align: 1, gap: isDense ? 0 : 1, disp })
  return {
    label: name,
    fill: paint,
    width: 0,
    points: { show: false },
    ...(bars === undefined ? {} : { paths: bars }),
  }
}

/**
 * Finds the values between two unknown ones. They are on no line, and are drawn as points.
 *
 * @param {UPlot} uplot
 * @param {number} seriesIndex
 * @returns {number[]}
 */
function loneValues(uplot, seriesIndex) {
  const values = uplot.data[seriesIndex] ?? []
  const lone = []
  for (let i = 0; i < values.length; i++) {
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) lone.push(i)
  }
  return lone
}

/**
 * Makes each bar begin where the one below it ends. If it began at 0 behind the others, it would
 * show through at their edges.
 *
 * @param {Setting['basesOf']} basesOf
 */
function stackedBy(basesOf) {
  return /** @type {const} */ ({
    y0: {
      unit: 1,
      values: (/** @type {UPlot} */ _uplot, /** @type {number} */ column) => basesOf(column),
    },
    y1: {
      unit: 1,
      values: (/** @type {UPlot} */ uplot, /** @type {number} */ column) =>
        Array.from(uplot.data[column] ?? [], (value) => value ?? 0),
    },
  })
}

/**
 * Draws the zero line if bars go down from it.
 *
 * @param {UPlot} uplot
 * @param {string} color
 */
function drawZero({ ctx, bbox, scales, valToPos }, color) {
  if ((scales['y']?.min ?? 0) >= 0) return
  const y = Math.round(valToPos(0, 'y', true))
  ctx.fillStyle = color
  ctx.fillRect(bbox.left, y, bbox.width, Math.max(1, devicePixelRatio))
}

/** @param {import('./colors.js').Colors} colors */
function axisLook(colors) {
  return { stroke: () => colors.get('--muted'), font: AXIS_FONT, ticks: { show: false }, gap: 6 }
}

/**
 * @param {UPlot} uplot
 * @param {string[] | null} values
 */
function widest({ ctx }, values) {
  ctx.save()
  ctx.font = AXIS_FONT
  const widths = (values ?? []).map((text) => ctx.measureText(text).width)
  ctx.restore()
  return Math.ceil(Math.max(16, ...widths))
}

/**
 * @param {number} seconds
 * @param {number} step between two labels, in seconds
 */
function timeLabel(seconds, step) {
  const time = new Date(seconds * 1000).toISOString()
  const isMidnight = localTime(time).slice(11, 19) === '00:00:00'
  // The year is left out: with it, a label would need the room of two.
  return step >= 86_400 || isMidnight ? (formatDay(time).split(',')[0] ?? '') : formatClock(time).slice(0, 5)
}

/**
 * The index of the bucket under the pointer.
 *
 * @type {import('uplot').Cursor.DataIdxRefiner}
 */
function bucketUnder(uplot, _series, nearest, time) {
  const times = uplot.data[0]
  const next = times[nearest + 1] ?? Number.POSITIVE_INFINITY
  const index = time < (times[nearest] ?? 0) ? nearest - 1 : time >= next ? nearest + 1 : nearest
  return Math.min(times.length - 1, Math.max(0, index))
}

/**
 * @param {UPlot} uplot
 * @param {Setting} setting
 */
function select(uplot, { onStretch }) {
  const { left, width } = uplot.select
  if (width === 0) return
  uplot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
  if (width >= LEAST_SELECTION_PX) onStretch(uplot.posToVal(left, 'x'), uplot.posToVal(left + width, 'x'))
}
