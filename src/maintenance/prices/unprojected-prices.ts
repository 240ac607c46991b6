import { decodeLine } from '../../events/line.js'
import type { PlacedPrice } from '../../folds/costs/price.js'
import { SegmentReader } from '../../journal/read/segment-reader.js'
import { listSegments } from '../../journal/segments.js'
import { timedOut } from '../../queries/window/deadline.js'
import type { SegmentPosition } from '../../store/positions.js'
import { NO_DEFAULTS } from './price-list.js'

/** Only lines with this text can be prices. */
const MARK = Buffer.from('"price_set"')

/**
 * Reads the prices in a journal after these positions, which aren't projected yet. Archives are
 * left out, since only what is projected is archived.
 *
 * @param deadline by the clock of `performance.now()`.
 * @throws QueryError TIMED_OUT; JournalError as `status` does.
 */
export async function unprojectedPrices(
  directory: string,
  positions: readonly SegmentPosition[],
  deadline: number,
): Promise<PlacedPrice[]> {
  const projected = new Map(positions.map(({ id, projectedBytes }) => [id, projectedBytes]))
  const prices: PlacedPrice[] = []
  for (const segment of listSegments(directory)) {
    if (segment.state !== 'plain') continue
    const reader = new SegmentReader(directory, segment, { position: projected.get(segment.id) ?? 0 })
    try {
      for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
        if (performance.now() > deadline) throw timedOut()
        for (const { bytes, byteOffset } of chunk.lines) {
          if (bytes === null || !bytes.includes(MARK)) continue
          const line = decodeLine(bytes, NO_DEFAULTS)
          const event = 'event' in line ? line.event : null
          if (event?.type === 'price_set') prices.push({ event, segmentId: segment.id, byteOffset })
        }
      }
    } finally {
      reader.close()
    }
  }
  return prices
}
