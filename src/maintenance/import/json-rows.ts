import type { FoundRow } from './imported-row.js'
import { type JsonText, readElements, readLines } from './json-texts.js'
import { membersOf, shown } from './row-values.js'

/** An object, and the names of its members. */
interface JsonRow extends FoundRow {
  columns: readonly string[]
}

/**
 * Matches the beginning of JSON that continues on the next line, or is an array: formatters break
 * lines after an opening bracket or a comma.
 */
const SEVERAL_LINES = /^\s*(\[|.*[[{,][ \t\r]*\n)/

/**
 * Reads the objects of a file, one at a time, so that it may be of any size: one object per line,
 * an array of objects, or an object whose member `data` is that array, as APIs answer.
 *
 * @param beginning the first characters of the file.
 * @param check called with the columns of the first row that has any.
 * @throws InputError FILE_UNREADABLE; INVALID_VALUE for an object that can't be held in memory.
 */
export async function* readJsonRows(
  path: string,
  beginning: string,
  check: (columns: readonly string[]) => void,
): AsyncGenerator<FoundRow> {
  let isChecked = false
  for await (const text of SEVERAL_LINES.test(beginning) ? readElements(path) : readLines(path)) {
    for (const row of rowsOf(text)) {
      if (!isChecked && row.problem === null) {
        check(row.columns)
        isChecked = true
      }
      yield row
    }
  }
}

function* rowsOf({ line, bytes, isCut }: JsonText): Generator<JsonRow> {
  const source = () => bytes.toString()
  let value: unknown
  try {
    if (isCut) throw new SyntaxError(cutText(line, source()))
    value = JSON.parse(source())
  } catch (error) {
    yield unusable(line, source, notJson(source(), error as Error))
    return
  }
  const members = membersOf(value)
  const { data } = members
  // In a file of rejected rows each row has one line.
  const inOneLine = () => (bytes.includes('\n') ? JSON.stringify(value) : source())
  if (data === undefined || 'id' in members) yield rowOf(line, value, inOneLine)
  else for (const row of [data].flat()) yield rowOf(line, row, () => JSON.stringify(row))
}

function rowOf(line: number, value: unknown, source: () => string): JsonRow {
  const found = membersOf(value)
  const columns = Object.keys(found)
  if (columns.length === 0) {
    const text = JSON.stringify(value) ?? ''
    return unusable(line, source, `found ${shown(text)}, expected an object with the columns of a row`)
  }
  const get = (column: string) => (Object.hasOwn(found, column) ? found[column] : undefined)
  return { line, problem: null, columns, get, source }
}

function unusable(line: number, source: () => string, problem: string): JsonRow {
  return { line, problem, columns: [], get: () => undefined, source }
}

function notJson(text: string, error: Error): string {
  const found = `found something that isn't JSON (${error.message})`
  return isDoubled(text)
    ? `${found}: its backslashes are doubled, as \\copy of psql writes them; psql -At -c 'SELECT row_to_json(…) …' > FILE doesn't double them`
    : found
}

/** An object that isn't closed may contain many lines of others. */
function cutText(line: number, text: string): string {
  const last = line + text.trimEnd().split('\n').length - 1
  const found = 'the file ends within an object or an array'
  return last === line ? found : `${found}: nothing was imported from lines ${line} to ${last}`
}

/** Whether the text would be JSON if each pair of backslashes were one. */
function isDoubled(text: string): boolean {
  if (!text.includes('\\\\')) return false
  try {
    JSON.parse(text.replaceAll('\\\\', '\\'))
    return true
  } catch {
    return false
  }
}
