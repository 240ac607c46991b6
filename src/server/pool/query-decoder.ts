import { Compile } from 'typebox/compile'
import { badRequest } from '../http/errors.js'
import { parseQueryString } from '../http/query-string.js'

/** How the names of label filters begin. */
export const LABEL_PREFIX = 'label:'

interface ValueSchema {
  type?: unknown
  minimum?: number
  maximum?: number
}

/** The part of a JSON Schema of an object that is read here. */
interface ObjectSchema {
  properties: Record<string, ValueSchema>
  patternProperties?: Record<string, unknown>
}

/**
 * Makes the decoder of a route's query string from its TypeBox schema, which also documents it: each parameter in the
 * order of the schema, as the type that it has there. Unknown parameters are ignored. The decoder throws HttpError 400
 * for a parameter that is given twice, or whose value isn't of its type.
 */
export function queryDecoder(schema: ObjectSchema): (text: string) => Record<string, unknown> {
  const parameters = Object.entries(schema.properties).map(([name, property]) => ({
    name,
    property,
    validator: Compile(property),
  }))
  const takesLabels = schema.patternProperties !== undefined
  return (text) => {
    const { values, repeated } = parseQueryString(text)
    const labels = takesLabels ? [...values.keys()].filter((name) => name.startsWith(LABEL_PREFIX)) : []
    for (const name of repeated) {
      if (labels.includes(name) || Object.hasOwn(schema.properties, name)) {
        throw badRequest(`'${name}' was given more than once`)
      }
    }
    const query: [string, unknown][] = []
    for (const { name, property, validator } of parameters) {
      const found = values.get(name)
      if (found === undefined) continue
      const value = fromText(found, property.type)
      if (!validator.Check(value))
        throw badRequest(`Invalid '${name}' value '${found}'. ${expected(property)}`)
      query.push([name, value])
    }
    for (const name of labels) {
      const value = values.get(name)
      if (value === '' || name === LABEL_PREFIX) {
        throw badRequest(`Invalid '${name}' value '${value}'. Expected label:<name>=<value>, neither empty`)
      }
      query.push([name, value])
    }
    // fromEntries, because assigning to a key named __proto__ would set a prototype instead.
    return Object.fromEntries(query)
  }
}

/** The value that a text stands for; the text itself where it stands for none of that type. */
function fromText(text: string, type: unknown): unknown {
  if (type === 'integer' && /^\d+$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

function expected({ type, minimum, maximum }: ValueSchema): string {
  if (type === 'integer') return `Expected a whole number from ${minimum} to ${maximum}`
  if (type === 'boolean') return 'Expected true or false'
  return 'Expected a text that is not empty'
}
