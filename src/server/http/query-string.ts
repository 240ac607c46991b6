import { Compile } from 'typebox/compile'
import { badRequest } from './errors.js'

/** The beginning of every label filter's name. */
export const LABEL_PREFIX = 'label:'

interface ValueSchema {
  type?: unknown
  minimum?: number
  maximum?: number
}

/** The part of an object's JSON Schema that is read here. */
interface ObjectSchema {
  properties: Record<string, ValueSchema>
  patternProperties?: Record<string, unknown>
}

/**
 * Makes the decoder of a route's query string from the TypeBox schema that also documents it: each
 * parameter in the order of the schema, as the type that it has there. Unknown parameters are
 * ignored. The decoder throws HttpError 400 for a parameter that is given twice, or whose value
 * isn't of its type.
 */
export function queryDecoder(schema: ObjectSchema): (text: string) => Record<string, unknown> {
  const parameters = Object.entries(schema.properties).map(([name, property]) => ({
    name,
    property,
    validator: Compile(property),
  }))
  const takesLabels = schema.patternProperties !== undefined
  return (text) => {
    const values = parseQueryString(text)
    const names = new Set(values.keys())
    const labels = takesLabels ? [...names].filter((name) => name.startsWith(LABEL_PREFIX)) : []
    for (const name of names) {
      const isKnown = labels.includes(name) || Object.hasOwn(schema.properties, name)
      if (isKnown && values.getAll(name).length > 1) throw badRequest(`'${name}' was given more than once`)
    }
    const query: [string, unknown][] = []
    for (const { name, property, validator } of parameters) {
      const found = values.get(name)
      if (found === null) continue
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
    // Assigning to a key named __proto__ would set a prototype; fromEntries doesn't.
    return Object.fromEntries(query)
  }
}

/** The value that a text stands for, or the text itself if it isn't a value of that type. */
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

/**
 * Parses a query string as browsers encode forms.
 *
 * @throws HttpError 400 if the encoding is broken.
 */
function parseQueryString(text: string): URLSearchParams {
  try {
    // URLSearchParams itself takes broken encoding for text.
    decodeURIComponent(text)
  } catch {
    throw badRequest(`the query string cannot be parsed: '${text}' is not percent-encoded UTF-8`)
  }
  // A question mark at the beginning is taken off: this one, so that one of the text stays.
  return new URLSearchParams(`?${text}`)
}
