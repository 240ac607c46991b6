import { createReadStream } from 'node:fs'
import { InputError } from '../errors.js'
import { membersOf, type SourceRow } from './imported-row.js'

/** Holds against a file that isn't JSON; rows with whole conversations are long. */
const MAX_OBJECT_BYTES = 64 * 1024 * 1024

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING = new Set([0x5b, 0x7b])
const CLOSING = new Set([0x5d, 0x7d])
const OPENING_BRACKET = 0x5b
const NEWLINE = 0x0a

/** An object, and the names of its members. */
interface JsonRow extends SourceRow {
  columns: readonly string[]
  /** Why it can't be used. */
  problem: string | null
}

/** One text of JSON that was cut out of a file, and the line on which it begins. */
interface JsonText {
  line: number
  bytes: Buffer
}

/**
 * Reads the objects of a file, one after the other, so that it may be of any size: an object a line,
 * or an array of objects, or an object whose member `data` is that array, as APIs answer.
 *
 * @throws InputError FILE_UNREADABLE; INVALID_VALUE if the file ends too early.
 */
export async function* readJsonRows(path: string): AsyncGenerator<JsonRow> {
  const cutter = new ObjectCutter(path)
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
      for (const text of cutter.cut(chunk as Buffer)) yield* rowsOf(text)
    }
  } catch (error) {
    if (error instanceof InputError || (error as NodeJS.ErrnoException).syscall === undefined) throw error
    const found = `can't be read (${(error as Error).message})`
    throw new InputError('FILE_UNREADABLE', path, found, { cause: error })
  }
  cutter.end()
}

function* rowsOf({ line, bytes }: JsonText): Generator<JsonRow> {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch (error) {
    const problem = `found something that isn't JSON (${(error as Error).message})`
    yield { line, problem, columns: [], get: () => undefined }
    return
  }
  const members = membersOf(value)
  const { data } = members
  const rows = Array.isArray(data) ? data : [data !== undefined && !('id' in members) ? data : value]
  for (const row of rows) {
    const found = membersOf(row)
    yield {
      line,
      problem: null,
      columns: Object.keys(found),
      get: (column) => (Object.hasOwn(found, column) ? found[column] : undefined),
    }
  }
}

/** Cuts bytes into the objects that stand in them, whatever stands around those. */
class ObjectCutter {
  readonly #path: string
  #line = 1
  /** How many brackets are open, the array's own not counted. */
  #depth = 0
  #isInArray = false
  #isInString = false
  #isEscaped = false
  #startLine = 1
  #kept: Buffer[] = []
  #keptBytes = 0

  constructor(path: string) {
    this.#path = path
  }

  /** @returns the objects that end in the next bytes. */
  cut(chunk: Buffer): JsonText[] {
    const found: JsonText[] = []
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (byte === NEWLINE) this.#line++
      if (this.#isInString) this.#passString(byte)
      else if (byte === QUOTE && this.#depth > 0) this.#isInString = true
      else if (OPENING.has(byte)) {
        if (this.#depth === 0 && byte === OPENING_BRACKET && !this.#isInArray) this.#isInArray = true
        else if (this.#depth++ === 0) {
          start = at
          this.#startLine = this.#line
        }
      } else if (CLOSING.has(byte)) {
        if (this.#depth === 0) this.#isInArray = false
        else if (--this.#depth === 0) {
          found.push({
            line: this.#startLine,
            bytes: Buffer.concat([...this.#kept, chunk.subarray(start, at + 1)]),
          })
          this.#kept = []
          this.#keptBytes = 0
        }
      }
    }
    if (this.#depth > 0) this.#keep(chunk.subarray(this.#keptBytes === 0 ? start : 0))
    return found
  }

  end(): void {
    if (this.#depth === 0 && !this.#isInArray) return
    throw new InputError('INVALID_VALUE', this.#path, 'the file ends within an object or an array', {
      line: this.#startLine,
    })
  }

  #passString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (byte === BACKSLASH) this.#isEscaped = true
    else if (byte === QUOTE) this.#isInString = false
  }

  #keep(rest: Buffer): void {
    this.#kept.push(Buffer.from(rest))
    this.#keptBytes += rest.length
    if (this.#keptBytes <= MAX_OBJECT_BYTES) return
    const found = `found an object of more than ${MAX_OBJECT_BYTES} bytes, expected one for each request`
    throw new InputError('INVALID_VALUE', this.#path, found, { line: this.#startLine })
  }
}
