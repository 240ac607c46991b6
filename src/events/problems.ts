import type { CompiledField } from './compile.js'
import type { EventProblem } from './errors.js'

const SHOWN_CHARACTERS = 60

/** Every field of `input` that breaks its schema. */
export function findProblems(input: object, fields: Readonly<Record<string, CompiledField>>): EventProblem[] {
  const problems: EventProblem[] = []
  for (const [field, { isRequired, expected, check }] of Object.entries(fields)) {
    const value = (input as Record<string, unknown>)[field]
    if (value === undefined && !isRequired) continue
    if (value !== undefined && check(value)) continue
    if (field === 'labels' && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      problems.push(...labelProblems(value))
    } else {
      problems.push({ field, found: describeValue(value), expected })
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

function quoted(text: string): string {
  return JSON.stringify(shortened(text))
}

function shortened(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`
}
