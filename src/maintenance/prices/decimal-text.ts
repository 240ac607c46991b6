/**
 * Writes a number of a price list as a decimal text, with its point moved to the right. It moves
 * the point in the number's shortest text, which is the text in the list: multiplied, 1.1e-06 would
 * become 1.0999999999999999.
 *
 * @param number finite, and not negative.
 * @param places how far the point is moved: 6 turns the price of a token into the price of a
 *   million tokens.
 */
export function decimalText(number: number, places = 0): string {
  const [decimal = '', exponent = '0'] = String(number).split('e')
  const [whole = '', fraction = ''] = decimal.split('.')
  const point = whole.length + Number(exponent) + places
  const digits = (whole + fraction).padStart(whole.length + fraction.length - Math.min(0, point), '0')
  const before = digits.slice(0, Math.max(0, point)).padEnd(Math.max(0, point), '0')
  const after = digits.slice(Math.max(0, point)).replace(/0+$/, '')
  const integer = before.replace(/^0+(?=\d)/, '') || '0'
  return after === '' ? integer : `${integer}.${after}`
}
