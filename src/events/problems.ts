import type { TObject, TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import type { EventProblem } from './errors.js'

const SHOWN_CHARACTERS = 60

/** The JSON Schema keywords that our schemas use. */
interface Keywords {
  type?: string
  const?: unknown
  minimum?: number
  maximum?: number
  pattern?: string
  anyOf?: Keywords[]
  additionalProperties?: Keywords
}

const validators = new Map<TSchema, Validator>()

/**
 * Every field of `input` that breaks the object schema. Field by field with a validator each, compiled when first
 * needed: TypeBox's own list of errors ends after eight and repeats one for each alternative.
 */
export function findProblems(input: object, schema: TObject): EventProblem[] {
  const problems: EventProblem[] = []
  const required = new Set<string>(schema.required ?? [])
  for (const [field, fieldSchema] of Object.entries(schema.properties)) {
    const value = (input as Record<string, unknown>)[field]
    if (value === undefined && !required.has(field)) continue
    if (value !== undefined && validatorOf(fieldSchema).Check(value)) continue
    const expected = describeExpectation(fieldSchema as Keywords)
    if (field === 'labels' && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      problems.push(...labelProblems(value))
    } else {
      problems.push({ field, found: value === undefined ? 'nothing' : describeValue(value), expected })
    }
  }
  return problems
}

/** A value as an error message shows it: its type and, shortened, what it is. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return quoted(value)
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint') return `${shortened(String(value))}n`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return `a ${typeof value}`.replace('a object', 'an object')
}

function validatorOf(schema: TSchema): Validator {
  let validator = validators.get(schema)
  if (validator === undefined) {
    validator = Compile(schema)
    validators.set(schema, validator)
  }
  return validator
}

function labelProblems(labels: object): EventProblem[] {
  const problems: EventProblem[] = []
  for (const [name, value] of Object.entries(labels)) {
    if (value === undefined) continue
    const field = `labels.${shortened(JSON.stringify(name).slice(1, -1))}`
    if (name.includes('\0')) {
      problems.push({ field, found: 'a NUL in its name', expected: 'a name without NUL' })
    } else if (typeof value !== 'string' || value.includes('\0')) {
      problems.push({ field, found: describeValue(value), expected: 'a string without NUL' })
    }
  }
  return problems
}

function describeExpectation(schema: Keywords): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(describeExpectation).join(' or ')
  if (schema.const !== undefined) return `'${schema.const}'`
  switch (schema.type) {
    case 'string':
      return schema.pattern === undefined ? 'a string' : 'a string without NUL'
    case 'integer':
      return schema.minimum === 0 ? 'an integer from 0 to 2^53 − 1' : 'an integer within ±(2^53 − 1)'
    case 'number':
      return schema.minimum === 0 ? 'a number from 0 to 2^53 − 1' : 'a finite number'
    case 'boolean':
      return 'true or false'
    case 'object':
      return 'an object of strings'
    default:
      return String(schema.type)
  }
}

function quoted(text: string): string {
  return JSON.stringify(shortened(text))
}

function shortened(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`
}
