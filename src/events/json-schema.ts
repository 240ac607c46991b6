import { RequestLogSchema, StreamCompletedSchema } from './schema.js'

/** A JSON Schema, or a part of one, as plain data. */
export type JsonSchema = { [keyword: string]: unknown }

const DIALECT = 'https://json-schema.org/draft/2020-12/schema'

const CHECKSUM: JsonSchema = {
  type: 'string',
  pattern: '^[0-9a-f]{8}$',
  description: 'CRC-32 of all bytes of the line before `,"crc32"`; must be the last member, without spaces',
}

/**
 * What a line of the journal may say, as JSON Schema (draft 2020-12) for other languages: journal/event.schema.json.
 * What no JSON Schema can say (which bytes, how long) stands in journal/README.md.
 */
export function eventJsonSchema(): JsonSchema {
  return {
    $schema: DIALECT,
    title: 'request-journal event',
    description:
      'One line of a request-journal, format 1. Members that are not named here are allowed and ignored.',
    oneOf: [{ $ref: '#/$defs/request_logged' }, { $ref: '#/$defs/stream_completed' }],
    $defs: {
      request_logged: lineSchema(RequestLogSchema),
      stream_completed: lineSchema(StreamCompletedSchema),
    },
  }
}

/** The schema of an event, with what only its line has. */
function lineSchema(schema: object): JsonSchema {
  // A copy, which also leaves out TypeBox's own keywords: they are not enumerable.
  const copy = JSON.parse(JSON.stringify(schema)) as { properties: Record<string, JsonSchema> }
  const { timestamp, ...others } = copy.properties
  const properties = { ...others, timestamp: withDateTime(timestamp), crc32: CHECKSUM }
  return { ...copy, properties, additionalProperties: true }
}

/** Our validator reads timestamps itself, so that the TypeBox schemas don't name their format. */
function withDateTime(schema: JsonSchema | undefined): JsonSchema {
  if (schema === undefined) throw new Error('the event has no timestamp')
  const alternatives = schema['anyOf']
  if (!Array.isArray(alternatives)) return { ...schema, format: 'date-time' }
  const anyOf = alternatives.map((part: JsonSchema) => (part['type'] === 'null' ? part : withDateTime(part)))
  return { ...schema, anyOf }
}
