import type { EventType } from '../../src/events/event-types.js'
import { FIELDS, type Field } from '../../src/events/fields.js'
import { type JsonSchema, KINDS } from '../../src/events/value-kinds.js'

const DIALECT = 'https://json-schema.org/draft/2020-12/schema'

const CHECKSUM: JsonSchema = {
  type: 'string',
  pattern: '^[0-9a-f]{8}$',
  description: 'CRC-32 of all bytes of the line before `,"crc32"`; must be the last member, without spaces',
}

const DESCRIPTIONS: Record<EventType, string> = {
  request_logged: 'One finished request, or a stream that has begun.',
  stream_completed: 'How a request that was logged when its stream began has ended.',
  price_set: 'What a model costs from a given moment on.',
  exchange_rate_observed: 'What a bitcoin cost at a moment in time.',
}

/**
 * Makes journal/event.schema.json, which describes a line of the journal to other languages as JSON
 * Schema (draft 2020-12). journal/README.md says what a JSON Schema can't: which bytes, and how
 * long.
 */
export function eventJsonSchema(): JsonSchema {
  const types = Object.keys(FIELDS) as EventType[]
  return {
    $schema: DIALECT,
    title: 'request-journal event',
    description:
      'One line of a request-journal, format 1. Members that are not named here are allowed and ignored.',
    oneOf: types.map((type) => ({ $ref: `#/$defs/${type}` })),
    $defs: Object.fromEntries(types.map((type) => [type, lineSchema(type)])),
  }
}

function lineSchema(type: EventType): JsonSchema {
  const fields: [string, Field][] = Object.entries(FIELDS[type])
  const isDefault = type === 'request_logged'
  const typeSchema: JsonSchema = { type: 'string', const: type }
  if (isDefault) typeSchema['description'] = 'a line without type is one of these'
  return {
    title: type,
    description: DESCRIPTIONS[type],
    type: 'object',
    required: [
      ...(isDefault ? [] : ['type']),
      ...fields.filter(([, { presence }]) => presence === 'required').map(([name]) => name),
    ],
    properties: {
      type: typeSchema,
      ...Object.fromEntries(fields.map(([name, field]) => [name, fieldSchema(field)])),
      crc32: CHECKSUM,
    },
    additionalProperties: true,
  }
}

function fieldSchema(field: Field): JsonSchema {
  const kind: { schema: JsonSchema; description?: string } = KINDS[field.kind]
  const description = [field.description, kind.description].filter((part) => part !== undefined).join('; ')
  const schema = field.presence === 'nullable' ? { anyOf: [kind.schema, { type: 'null' }] } : kind.schema
  return {
    ...schema,
    ...(description === '' ? {} : { description }),
    ...(field.default === undefined ? {} : { default: field.default }),
  }
}
