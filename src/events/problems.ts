import type { CompiledField } from './compile.js'
import type { EventProblem } from './errors.js'
import { maskSecrets } from './redact.js'

const SHOWN_CHARACTERS = 60
/** Characters that are searched for secrets: a long one that begins among those shown is found whole. */
const SEARCHED_CHARACTERS = 1024

/** Every field of `input` that breaks its schema. */
export function findProblems(
  input: object,
  fields: Readonly<Record<string, CompiledField>>,
  redact = maskSecrets,
): EventProblem[] {
  const problems: EventProblem[] = []
  for (const [field, { isRequired, expected, check }] of Object.entries(fields)) {
    const value = (input as Record<string, unknown>)[field]
    if (value === undefined && !isRequired) continue
    if (value !== undefined && check(value)) continue
    if (field === 'labels' && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      problems.push(...labelProblems(value, redact))
    } else {
      problems.push({ field, found: describeValue(value, redact), expected })
    }
  }
  return problems
}

/** A value as an error message shows it: its type and, shortened and without secrets, what it is. */
export function describeValue(value: unknown, redact = maskSecrets): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return JSON.stringify(shownText(value, redact))
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint') return `${shownText(String(value), redact)}n`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return `a ${typeof value}`.replace('a object', 'an object')
}

function labelProblems(labels: object, redact: (text: string) => string): EventProblem[] {
  const problems: EventProblem[] = []
  for (const [name, value] of Object.entries(labels)) {
    if (value === undefined) continue
    const field = `labels.${JSON.stringify(shownText(name, redact)).slice(1, -1)}`
    if (name.includes('\0')) {
      problems.push({ field, found: 'a NUL in its name', expected: 'a name without NUL' })
    } else if (typeof value !== 'string' || value.includes('\0')) {
      problems.push({ field, found: describeValue(value, redact), expected: 'a string without NUL' })
    }
  }
  return problems
}

/** The beginning of a caller's text, without secrets: errors end in the gateway's own log. */
export function shownText(text: string, redact = maskSecrets): string {
  const safe = redact(text.slice(0, SEARCHED_CHARACTERS))
  return safe.length <= SHOWN_CHARACTERS ? safe : `${safe.slice(0, SHOWN_CHARACTERS)}…`
}

/** What a caller's getter or toJSON has thrown, in one line. */
export function describeThrown(error: unknown, redact = maskSecrets): string {
  return error instanceof Error ? shownText(error.message.split('\n')[0] ?? '', redact) : 'it threw'
}
