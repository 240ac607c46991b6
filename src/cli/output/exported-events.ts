import type { EventInput } from '../../events/event-types.js'
import { FIELDS } from '../../events/fields.js'

/** What an export says of a request that no event says: where it stood. */
const PLACE_MEMBERS = ['id', 'segment', 'byte_offset', 'completed_segment', 'completed_byte_offset'] as const

/** The members that the end of a stream has overwritten, and those that say which request it was. */
const COMPLETION_MEMBERS = Object.keys(FIELDS.stream_completed)

/**
 * The events that a line of stdin stands for. A line of an export is a request as it was in the end: if it was completed,
 * it becomes two events, so that the same row comes of it. Any other line is the event that it says.
 */
export function eventsOf(members: Record<string, unknown>): EventInput[] {
  if (!isExported(members)) return [members as unknown as EventInput]
  const { stream_duration_ms: duration, ...request } = members
  for (const member of PLACE_MEMBERS) delete request[member]
  const isCompleted = duration !== null || Object.hasOwn(members, 'completed_segment')
  if (!isCompleted) return [request as unknown as EventInput]
  const outcome = COMPLETION_MEMBERS.filter((member) => Object.hasOwn(members, member))
  const completion = Object.fromEntries(outcome.map((member) => [member, members[member]]))
  return [request, { type: 'stream_completed', ...completion }] as unknown as EventInput[]
}

function isExported(members: Record<string, unknown>): boolean {
  const told = ['id', 'segment', 'byte_offset', 'stream_duration_ms']
  return members['type'] === undefined && told.every((member) => Object.hasOwn(members, member))
}
