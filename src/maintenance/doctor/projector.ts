import type { SegmentPosition } from '../../store/positions.js'
import { describeHolder, isLocked } from '../../store/sqlite/connection/lock.js'
import { countText, sizeText } from '../count-text.js'
import { sumOfPositions } from '../journal-tables.js'
import type { StatusReport } from '../status.js'
import { type Finding, note, ok, problem } from './check.js'

/** A projector that lags by more than this is stuck or can't keep up. */
const SLOW_SECONDS = 60
/** Somebody who runs a projector only from time to time does so more often than this. */
const FORGOTTEN_SECONDS = 3600

export function checkProjector(databasePath: string): Finding {
  const isRunning = isLocked(databasePath)
  const holder = describeHolder(databasePath)
  if (isRunning) return ok(`running${holder === undefined ? '' : ` (${holder})`}`)
  const last = holder === undefined ? '' : `; the last one didn't end by itself (${holder})`
  return note(`not running${last}`, 'Start `request-journal project`, unless something runs it now and then')
}

export function checkLag({ lag_bytes, lag_seconds, database }: StatusReport): Finding {
  if (lag_bytes === 0) return ok('none: everything is projected')
  const found = `${sizeText(lag_bytes)} not projected, for ${lag_seconds} s`
  if (database !== null && database.projector_running !== false) {
    if (lag_seconds < SLOW_SECONDS) return ok(found)
    const advice = "The projector is stuck or can't keep up: its log says which"
    return problem(found, advice)
  }
  const advice = 'Start `request-journal project`: the journal keeps everything until then'
  return lag_seconds < FORGOTTEN_SECONDS ? note(found, advice) : problem(found, advice)
}

/** Late and unchecked lines. A few are normal; many hint at something. */
export function checkLines(positions: readonly SegmentPosition[]): Finding {
  const { lines, late, unchecked } = sumOfPositions(positions)
  const found = `${countText(lines, 'line')} projected, ${late} late, ${unchecked} without a checksum`
  if (late === 0) return ok(found)
  const advice =
    'Late lines were added to a segment after a newer one had begun, by a writer that hung or a clock that differs: a replay puts them earlier'
  return note(found, advice)
}
