import type { ImportNotes } from './import-notes.js'
import { RowProblem, type SourceRow } from './imported-row.js'

// Readers of values that other programs have written.

/** A value as text; null if nothing is given. */
export function textOf(value: unknown): string | null {
  if (value === undefined || value === null || value === '') return null
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/

/** A value as a number; null if nothing is given. @throws RowProblem naming the column. */
export function numberOf(value: unknown, column: string): number | null {
  if (value === undefined || value === null || value === '') return null
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'string' && NUMBER.test(value)) return Number(value)
  const hint = textOf(value)?.includes(',') === true ? ', with a point and without separators' : ''
  throw new RowProblem(`${column}: found '${shown(value)}', expected a number such as 0.0125${hint}`)
}

/**
 * A value as a whole number; null if nothing is given. 1.000 may be a thousand or one.
 *
 * @throws RowProblem naming the column.
 */
export function countOf(value: unknown, column: string): number | null {
  if (typeof value !== 'string' || !/^[+-]?\d+\.\d{3}$/.test(value)) return numberOf(value, column)
  throw new RowProblem(
    `${column}: found '${shown(value)}', expected a whole number without separators, such as 1000`,
  )
}

/** A value as yes or no; null if nothing is given. @throws RowProblem naming the column. */
export function flagOf(value: unknown, column: string): boolean | null {
  const text = textOf(value)
  if (text === null) return null
  if (/^(true|t|yes|1)$/i.test(text)) return true
  if (/^(false|f|no|0)$/i.test(text)) return false
  throw new RowProblem(`${column}: found '${shown(text)}', expected true or false, yes or no, 1 or 0`)
}

/** The members of an object, or of an object that is written as JSON text; none otherwise. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  let found = value
  if (typeof value === 'string' && value.startsWith('{')) {
    try {
      found = JSON.parse(value)
    } catch {
      // Not JSON after all, so it has no members.
    }
  }
  return typeof found === 'object' && found !== null && !Array.isArray(found)
    ? (found as Record<string, unknown>)
    : {}
}

/** The same for a column's value; a text that isn't such an object is noted. */
export function columnMembers(
  value: unknown,
  column: string,
  notes: ImportNotes,
): Readonly<Record<string, unknown>> {
  const members = membersOf(value)
  const isEmpty = typeof value !== 'string' || /^\s*(|\{\s*\}|null)\s*$/.test(value)
  if (!isEmpty && Object.keys(members).length === 0) {
    notes.add(`${column} isn't an object of JSON: nothing was taken from it`)
  }
  return members
}

/** The first of these columns that has a value; undefined if none has. */
export function firstOf(row: SourceRow, columns: readonly string[]): unknown {
  for (const column of columns) {
    const value = row.get(column)
    if (value !== undefined && value !== null && value !== '') return value
  }
  return undefined
}

/** Labels without those that have no value. */
export function labelsOf(labels: Readonly<Record<string, unknown>>): Record<string, string> | undefined {
  const given = Object.entries(labels).flatMap(([name, value]) => {
    const text = textOf(value)
    return text === null ? [] : [[name, text] as const]
  })
  return given.length === 0 ? undefined : Object.fromEntries(given)
}

/** A count that is a part of another one: 0 counts as not given. */
export function partOf(value: unknown, column: string): number | null {
  return countOf(value, column) || null
}

const SHOWN_CHARACTERS = 60

export function shown(value: unknown): string {
  const text = textOf(value) ?? ''
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`
}
