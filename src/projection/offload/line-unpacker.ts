import type { JournalEvent, RequestLogged, StreamCompleted } from '../../events/event-types.js'
import type { LineTarget } from '../decoded-segment.js'
import {
  CELLS,
  IS_COMPLETION,
  IS_STREAMING,
  IS_SUCCESS,
  IS_SUCCESS_UNKNOWN,
  NUMBERS,
  type PackedLines,
  type PackedViews,
  packedViews,
} from './packed-lines.js'

type Labels = NonNullable<RequestLogged['labels']>

/** Makes events of what a LinePacker has packed. It must learn from each pack, in their order, before it unpacks it. */
export class LineUnpacker {
  readonly #names: string[] = []
  /** Those of names that were asked for, which several events share. */
  readonly #labels: (Labels | undefined)[] = []
  #textEnd = 0

  /** What is packed from now on may use these names too. */
  learn({ names }: PackedLines): void {
    this.#names.push(...names)
  }

  unpack({ buffer, rows, unpacked }: PackedLines, segmentId: number, target: LineTarget): void {
    const views = packedViews(buffer)
    this.#textEnd = 0
    let next = 0
    for (let row = 0; row <= rows; row++) {
      for (let line = unpacked[next]; line?.row === row; line = unpacked[++next]) {
        if ('rejected' in line) target.reject(line.rejected)
        else target.apply(line.event, { segmentId, byteOffset: line.byteOffset })
      }
      if (row === rows) break
      const event = this.#event(views, row)
      target.apply(event, { segmentId, byteOffset: views.numbers[row * NUMBERS] ?? 0 })
    }
  }

  #event({ numbers, cells, texts }: PackedViews, row: number): JournalEvent {
    const at = row * NUMBERS
    const cell = row * CELLS
    const kind = cells[cell] ?? 0
    // In the order in which they were packed, since each text begins where the one before ends.
    const correlation_id = this.#text(texts, cells[cell + 1]) ?? ''
    const timestamp = this.#text(texts, cells[cell + 2]) ?? ''
    const model = this.#text(texts, cells[cell + 3]) ?? ''
    const provider = this.#text(texts, cells[cell + 4])
    const policy = this.#text(texts, cells[cell + 5])
    const error_message = this.#text(texts, cells[cell + 6])
    const labels = cells[cell + 7] ?? 0
    const isSuccess = (kind & IS_SUCCESS) !== 0
    const attempt = numberOrNull(numbers[at + 1])
    if ((kind & IS_COMPLETION) !== 0) {
      const completion: StreamCompleted = {
        type: 'stream_completed',
        correlation_id,
        timestamp,
        input_tokens: numberOrNull(numbers[at + 2]),
        output_tokens: numberOrNull(numbers[at + 3]),
        cost_sats: numberOrNull(numbers[at + 4]),
        provider_cost_sats: numberOrNull(numbers[at + 5]),
        stream_duration_ms: numberOrNull(numbers[at + 6]),
        success: (kind & IS_SUCCESS_UNKNOWN) !== 0 ? null : isSuccess,
        error_status: numberOrNull(numbers[at + 7]),
        error_message,
      }
      if (attempt !== null) completion.attempt = attempt
      return completion
    }
    const event: RequestLogged = {
      type: 'request_logged',
      correlation_id,
      timestamp,
      model,
      provider,
      policy,
      streaming: (kind & IS_STREAMING) !== 0,
      input_tokens: numberOrNull(numbers[at + 2]),
      output_tokens: numberOrNull(numbers[at + 3]),
      cost_sats: numberOrNull(numbers[at + 4]),
      provider_cost_sats: numberOrNull(numbers[at + 5]),
      latency_ms: numbers[at + 6] ?? 0,
      success: isSuccess,
      error_status: numberOrNull(numbers[at + 7]),
      error_message,
    }
    if (attempt !== null) event.attempt = attempt
    if (labels !== 0) event.labels = this.#labelsOf(texts, labels)
    return event
  }

  #labelsOf(texts: Buffer, cell: number): Labels {
    const known = cell > 0 ? this.#labels[cell - 1] : undefined
    if (known !== undefined) return known
    const labels: Labels = JSON.parse(this.#text(texts, cell) ?? '{}')
    if (cell > 0) this.#labels[cell - 1] = labels
    return labels
  }

  #text(texts: Buffer, cell = 0): string | null {
    if (cell > 0) return this.#names[cell - 1] ?? null
    if (cell === 0) return null
    const start = this.#textEnd
    const end = start + ((-cell - 1) >> 1)
    this.#textEnd = end
    return texts.toString(((-cell - 1) & 1) === 0 ? 'latin1' : 'utf8', start, end)
  }
}

function numberOrNull(value = Number.NaN): number | null {
  return Number.isNaN(value) ? null : value
}
