import { isAscii, isUtf8 } from 'node:buffer'
import { crc32 } from 'node:zlib'
import { describeValue } from './describe-value.js'
import { InvalidEventError } from './errors.js'
import type { JournalEvent } from './event-types.js'
import { eventTypeOf, type NormalizeHooks, normalizeEvent } from './normalize-event.js'
import { maskSecrets } from './redact.js'
import { CHECKSUM_START, serializeMembers, serializeOpen } from './serialize.js'
import { safeIdentifier } from './value-kinds.js'

/** The longest line that may be in a segment, its newline included: 1 MiB. */
export const MAX_LINE_BYTES = 1024 * 1024

/** The length of a line's end: `,"crc32":"9ae0daaf"}`. */
export const CHECKSUM_BYTES = 20

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const CLOSING_BRACE = 0x7d
const NEWLINE = 0x0a

/** Why a whole line is rejected. The reason is stored with the line, so none may be renamed. */
export type RejectionReason =
  | 'not_utf8'
  | 'not_json'
  | 'not_an_object'
  | 'checksum_mismatch'
  | 'damaged_checksum'
  | 'unknown_type'
  | 'invalid_event'
  | 'too_long'

export interface Rejection {
  reason: RejectionReason
  /** One sentence for people: what was found. `verify` compares it: see `findProblems`. */
  detail: string
}

/**
 * A line's members without the checksum. `isChecked` says whether the checksum vouches for the
 * line's bytes.
 */
export interface ParsedLine {
  members: Record<string, unknown>
  isChecked: boolean
}

export type DecodedLine = { event: JournalEvent; isChecked: boolean } | Rejection

const CHECKSUM_START_BYTES = Buffer.from(CHECKSUM_START)
const HEX_DIGITS = Buffer.from('0123456789abcdef')

let scratch = Buffer.allocUnsafe(16 * 1024)
/** Up to this many bytes, views are kept for the next line of the same length. */
const MAX_KEPT_VIEW = 2048

/**
 * Encodes an event as its line, with checksum and newline, in a buffer that the next call
 * overwrites: write it or copy it before then.
 *
 * @param unknown members that this version doesn't know; they follow the known ones.
 * @throws InvalidEventError when the line would be longer than 1 MiB, or `unknown` can't be written
 * as JSON.
 */
export function encodeLine(event: JournalEvent, unknown: Record<string, unknown> | null): Buffer {
  const open = unknown === null ? serializeOpen(event) : serializeOpen(event) + serializeMembers(unknown)
  // Every UTF-16 unit is at least one byte of UTF-8 and at most three.
  if (open.length > MAX_LINE_BYTES) throw tooLong(Buffer.byteLength(open) + CHECKSUM_BYTES + 1)
  const needed = open.length * 3 + CHECKSUM_BYTES + 1
  if (scratch.length < needed) {
    scratch = Buffer.allocUnsafe(needed)
    views = []
  }
  const end = scratch.write(open, 0, 'utf8')
  const length = end + CHECKSUM_BYTES + 1
  if (length > MAX_LINE_BYTES) throw tooLong(length)
  writeChecksum(end, crc32(scratchUpTo(end)))
  return scratch.subarray(0, length)
}

/**
 * Views of `scratch` by length. Most lines have one of a few hundred lengths; making a new view
 * takes 35 ns more.
 */
let views: Buffer[] = []

function scratchUpTo(end: number): Buffer {
  if (end > MAX_KEPT_VIEW) return scratch.subarray(0, end)
  let view = views[end]
  if (view === undefined) {
    view = scratch.subarray(0, end)
    views[end] = view
  }
  return view
}

/** Writes the line's end byte by byte. Measured: 30 ns, against 150 for writing it as a string. */
function writeChecksum(end: number, crc: number): void {
  let at = end
  for (const byte of CHECKSUM_START_BYTES) scratch[at++] = byte
  for (let shift = 28; shift >= 0; shift -= 4) scratch[at++] = HEX_DIGITS[(crc >>> shift) & 0xf] ?? 0
  scratch[at++] = QUOTE
  scratch[at++] = CLOSING_BRACE
  scratch[at] = NEWLINE
}

/** Writes a CRC-32 (that of gzip and PNG) as eight lowercase hex digits. */
export function hexChecksum(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}

/**
 * Reads one whole line, given without its newline. Two of the `hooks` fill in what a foreign
 * line leaves out.
 */
export function decodeLine(line: Buffer, hooks: NormalizeHooks): DecodedLine {
  const parsed = parseLine(line)
  if ('reason' in parsed) return parsed
  const { members, isChecked } = parsed
  if (eventTypeOf(members['type']) === null) {
    return {
      reason: 'unknown_type',
      detail: `type ${describeValue(members['type'])} is not known to this version: upgrade, then replay`,
    }
  }
  try {
    return { event: normalizeEvent(members, hooks), isChecked }
  } catch (error) {
    if (error instanceof InvalidEventError) return { reason: 'invalid_event', detail: error.message }
    throw error
  }
}

/** Checks a line's length, encoding, checksum and JSON, but not its members. */
export function parseLine(line: Buffer): ParsedLine | Rejection {
  if (line.length + 1 > MAX_LINE_BYTES) {
    return { reason: 'too_long', detail: `${line.length + 1} bytes, at most ${MAX_LINE_BYTES} are allowed` }
  }
  const end = endOfText(line)
  const tail = checksumTail(line, end)
  const isChecked = typeof tail === 'number'
  if (isChecked) {
    const computed = crc32(line.subarray(0, end - CHECKSUM_BYTES))
    if (tail !== computed) {
      const detail = `crc32 says ${hexChecksum(tail)}, the bytes give ${hexChecksum(computed)}`
      return { reason: 'checksum_mismatch', detail }
    }
  }
  // Nearly all lines are ASCII, and latin1 is read in half the time.
  const encoding = isAscii(line) ? 'latin1' : 'utf8'
  if (encoding === 'utf8' && !isUtf8(line)) {
    return { reason: 'not_utf8', detail: 'the line is not valid UTF-8' }
  }
  let members: unknown
  try {
    members =
      (isChecked ? parseWithoutChecksum(line, end, encoding) : null) ??
      parseJson(line.toString(encoding, 0, end))
  } catch (error) {
    return { reason: 'not_json', detail: maskSecrets((error as SyntaxError).message).slice(0, 200) }
  }
  if (tail === 'damaged') {
    const found = maskSecrets(line.toString('utf8', end - CHECKSUM_BYTES, end))
    return { reason: 'damaged_checksum', detail: `the last member ${found} looks like a damaged crc32` }
  }
  if (typeof members !== 'object' || members === null || Array.isArray(members)) {
    return { reason: 'not_an_object', detail: 'the line is JSON, but not an object' }
  }
  if (!isChecked && Object.hasOwn(members, 'crc32')) {
    const detail = 'crc32 must be the last member, without spaces, and eight lowercase hex digits'
    return { reason: 'damaged_checksum', detail }
  }
  return { members: members as Record<string, unknown>, isChecked }
}

/**
 * Parses the line with its crc32 member cut off. V8 interns short strings, and interning a
 * checksum, which differs on every line, takes 200 ns. Null if the rest isn't JSON, or is `{}`:
 * then the comma before crc32 made the line invalid.
 */
function parseWithoutChecksum(line: Buffer, end: number, encoding: 'latin1' | 'utf8'): object | null {
  try {
    // The member is cut off together with the closing brace.
    const open = line.toString(encoding, 0, end - CHECKSUM_BYTES)
    const members = parseJson(`${open}}`) as object
    return isEmpty(members) ? null : members
  } catch {
    // Parsing the whole line gives a better message.
    return null
  }
}

/** Whether an object has no members. Object.keys would make a list of them for every line. */
function isEmpty(members: object): boolean {
  for (const _ in members) return false
  return true
}

function parseJson(text: string): unknown {
  return JSON.parse(cutLongNames(text))
}

/** Whether a line is JSON white space only. Such a line is skipped and not counted. */
export function isBlankLine(line: Buffer): boolean {
  return endOfText(line) === 0
}

function endOfText(line: Buffer): number {
  let end = line.length
  while (end > 0 && isJsonSpace(line[end - 1])) end--
  return end
}

export function isJsonSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === NEWLINE
}

/**
 * Reads the checksum in the last 20 bytes, if they have its shape. Any last member with a name of
 * five characters and a value of eight counts as a damaged checksum: a flipped bit can turn a crc32
 * member into one, and would otherwise silently switch the check off.
 */
function checksumTail(line: Buffer, end: number): number | 'damaged' | 'none' {
  const start = end - CHECKSUM_BYTES
  const hasChecksumShape =
    start > 0 &&
    line[end - 1] === CLOSING_BRACE &&
    line[end - 2] === QUOTE &&
    line[end - 11] === QUOTE &&
    line[end - 12] === COLON &&
    line[end - 13] === QUOTE &&
    line[start + 1] === QUOTE &&
    line[start] === COMMA
  if (!hasChecksumShape) return 'none'
  for (let i = 2; i < CHECKSUM_START_BYTES.length; i++) {
    if (line[start + i] !== CHECKSUM_START_BYTES[i]) return 'damaged'
  }
  return hexNumber(line, end - 10) ?? 'damaged'
}

/** Reads eight hex digits; null for other bytes. Measured: comparing strings takes 400 ns more. */
function hexNumber(line: Buffer, start: number): number | null {
  let value = 0
  for (let i = start; i < start + 8; i++) {
    const byte = line[i] ?? 0
    const isDigit = byte >= 0x30 && byte <= 0x39
    if (!isDigit && !(byte >= 0x61 && byte <= 0x66)) return null
    value = (value << 4) | (byte - (isDigit ? 0x30 : 0x57))
  }
  return value >>> 0
}

function tooLong(bytes: number): InvalidEventError {
  const expected = `at most ${MAX_LINE_BYTES} (1 MiB)`
  return new InvalidEventError([{ field: 'event', found: `a line of ${bytes} bytes`, expected }])
}

/**
 * The longest string that V8 hashes by its characters. It hashes longer ones by their length alone,
 * and JSON.parse looks up each member's name in a hash table.
 */
const MAX_HASHED_LENGTH = 16_383

/**
 * Cuts members' names in JSON text, as identifiers are cut, where V8 couldn't tell them apart:
 * 5,000 lines with names that are this long and all of the same length would take minutes to parse.
 * No field's name is that long, so only the names of labels, which are cut anyway, and of unknown
 * members change.
 */
export function cutLongNames(json: string): string {
  if (json.length <= MAX_HASHED_LENGTH) return json
  let result = ''
  let copied = 0
  for (let start = json.indexOf('"'); start !== -1; ) {
    const end = endOfString(json, start)
    if (end === -1) break
    if (end - start > MAX_HASHED_LENGTH && isName(json, end)) {
      const name = parsedText(json.slice(start, end))
      if (name === null) break
      result += json.slice(copied, start) + JSON.stringify(safeIdentifier(name))
      copied = end
    }
    start = json.indexOf('"', end)
  }
  return copied === 0 ? json : result + json.slice(copied)
}

/** The index after the closing quote of the string at `start`; −1 if it has no closing quote. */
function endOfString(json: string, start: number): number {
  for (let quote = json.indexOf('"', start + 1); quote !== -1; quote = json.indexOf('"', quote + 1)) {
    let backslashes = 0
    while (json[quote - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return quote + 1
  }
  return -1
}

function isName(json: string, end: number): boolean {
  let at = end
  while (json[at] === ' ' || json[at] === '\t' || json[at] === '\r' || json[at] === '\n') at++
  return json[at] === ':'
}

/** Null if it isn't JSON: parsing the whole line will say so. */
function parsedText(json: string): string | null {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}
