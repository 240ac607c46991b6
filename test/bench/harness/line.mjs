import { crc32 } from 'node:zlib'

/**
 * A line of format 1, by its specification in journal/README.md.
 *
 * @param {object} event without `type`
 * @param {string} [type]
 * @returns {string} with its newline
 */
export function encodeLine(event, type = 'request_logged') {
  const open = `{"type":"${type}",${JSON.stringify(event).slice(1, -1)}`
  return `${open},"crc32":"${crc32(open).toString(16).padStart(8, '0')}"}\n`
}
