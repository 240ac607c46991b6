import { crc32 } from 'node:zlib'

/** A line with its checksum, made without the program's encoder. No newline. */
export function checkedLine(members: Record<string, unknown>): string {
  const start = JSON.stringify({ type: 'request_logged', ...members }).slice(0, -1)
  return `${start},"crc32":"${crc32(Buffer.from(start)).toString(16).padStart(8, '0')}"}`
}

/** A request's line, told apart by its correlation_id. */
export function requestLine(correlationId: string, fields: Record<string, unknown> = {}): string {
  return checkedLine({
    correlation_id: correlationId,
    timestamp: '2026-11-22T10:00:00.000Z',
    model: 'gpt-4o',
    latency_ms: 100,
    success: true,
    ...fields,
  })
}

/** A completion's line. */
export function completionLine(correlationId: string, fields: Record<string, unknown> = {}): string {
  return checkedLine({ type: 'stream_completed', correlation_id: correlationId, ...fields })
}
