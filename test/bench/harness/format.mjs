/**
 * Three significant digits, four from a hundred on, thousands separated: 0.0123, 4.56, 789.1, 12,350.
 *
 * @param {number} value
 * @returns {string}
 */
export function formatNumber(value) {
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 100) return Number(value.toPrecision(4)).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

/**
 * @param {number} value
 * @param {string} unit
 * @returns {string}
 */
export function formatValue(value, unit) {
  if (unit === '') return formatNumber(value)
  return unit.startsWith('/') ? formatNumber(value) + unit : `${formatNumber(value)} ${unit}`
}

/**
 * 10,000,000 as `10 M`, 10,000 as `10 k`: how contenders of several sizes are told apart.
 *
 * @param {number} count
 * @returns {string}
 */
export function formatSize(count) {
  if (count >= 1_000_000 && count % 100_000 === 0) return `${count / 1_000_000} M`
  if (count >= 1000 && count % 100 === 0) return `${count / 1000} k`
  return String(count)
}

/**
 * @param {number} bytes
 * @returns {string}
 */
export function formatBytes(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`
}
