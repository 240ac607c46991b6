import { nearestName } from '../../events/nearest-name.js'
import { badRequest } from './errors.js'
import { Compile } from './typebox.js'

/** The beginning of every label filter's name. */
export const LABEL_PREFIX = 'label:'
const LABEL_EXAMPLE = 'label:<name>'

interface ValueSchema {
  type?: unknown
  minimum?: number
  maximum?: number
}

/** The members of an object's JSON Schema that are used here. */
interface ObjectSchema {
  properties: Record<string, ValueSchema>
  patternProperties?: Record<string, unknown>
  additionalProperties?: boolean
}

/** The member of a decoded query string with a sentence for each parameter that was ignored. */
export const WARNINGS = 'warnings'

/**
 * Makes the decoder of a route's query string from the TypeBox schema that also documents it. The
 * decoder checks parameters in the order of the schema, and converts them to their types. It throws
 * HttpError 400 for a parameter that is given twice or whose value isn't of its type, and for an
 * unknown parameter if the schema has `additionalProperties: false`. Otherwise it ignores unknown
 * parameters, and its result has {@link WARNINGS} about them.
 */
export function queryDecoder(schema: ObjectSchema): (text: string) => Record<string, unknown> {
  const parameters = Object.entries(schema.properties).map(([name, property]) => ({
    name,
    property,
    validator: Compile(property),
  }))
  const takesLabels = schema.patternProperties !== undefined
  const known = [...Object.keys(schema.properties), ...(takesLabels ? [LABEL_EXAMPLE] : [])]
  return (text) => {
    const values = parseQueryString(text)
    const names = new Set(values.keys())
    const labels = takesLabels ? [...names].filter((name) => name.startsWith(LABEL_PREFIX)) : []
    const unknown: string[] = []
    for (const name of names) {
      const isKnown = labels.includes(name) || Object.hasOwn(schema.properties, name)
      if (!isKnown) unknown.push(name)
      else if (values.getAll(name).length > 1) throw badRequest(`'${name}' was given more than once`)
    }
    const [refused] = schema.additionalProperties === false ? unknown : []
    if (refused !== undefined) throw badRequest(`Unknown parameter '${refused}'. ${hint(refused, known)}`)
    const query: [string, unknown][] =
      unknown.length === 0 ? [] : [[WARNINGS, unknown.map((name) => warning(name, known))]]
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

function warning(name: string, known: readonly string[]): string {
  return `The parameter '${name}' isn't known and was ignored. ${hint(name, known)}`
}

function hint(name: string, known: readonly string[]): string {
  if (known.length === 0) return 'This route has no parameters'
  const nearest = nearestName(name.replace(/:.*/s, ':<name>'), known)
  return nearest === null ? '/openapi.json lists the known ones' : `Did you mean '${nearest}'?`
}

/** Converts a text to a type; returns the text itself if it isn't a value of that type. */
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

/** Parses a query string as browsers encode forms. @throws HttpError 400 for broken encoding. */
function parseQueryString(text: string): URLSearchParams {
  try {
    // URLSearchParams itself would keep broken encoding as text.
    decodeURIComponent(text)
  } catch {
    throw badRequest(`the query string can't be parsed: '${text}' isn't percent-encoded UTF-8`)
  }
  // URLSearchParams removes a question mark at the beginning. It removes this one, so that a
  // question mark of the text itself is kept.
  return new URLSearchParams(`?${text}`)
}
