import { literalValue, unescaped } from './json-scalars.js'
import {
  memberNamed,
  type Scanned,
  type ScannedObject,
  type WantedMember,
  type WantedNode,
} from './wanted-members.js'

/** A longer text is cut, since only names and short messages are wanted. */
const MAX_TEXT_BYTES = 4096
/** Further elements of an array are skipped. */
const MAX_ELEMENTS = 64

// States, named by what is expected next, or by what the bytes are within.
const VALUE = 0
const FIRST_NAME = 1
const NAME = 2
const WITHIN_NAME = 3
const COLON = 4
const AFTER_VALUE = 5
const WITHIN_TEXT = 6
const WITHIN_LITERAL = 7
const SKIPPED_TEXT = 8
const SKIPPED = 9
const ENDED = 10
const BROKEN = 11

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
const NO_BYTES = Buffer.alloc(0)

// Classes of bytes within a value that is skipped.
const OPENS = 1
const CLOSES = 2
const QUOTES = 3
const CLASSES = new Uint8Array(256)
CLASSES[OPEN_ARRAY] = CLASSES[OPEN_OBJECT] = OPENS
CLASSES[CLOSE_ARRAY] = CLASSES[CLOSE_OBJECT] = CLOSES
CLASSES[QUOTE] = QUOTES

/** Whether a byte can stand in a number, or in true, false and null. */
const LITERAL = new Uint8Array(256)
for (const byte of Buffer.from('+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'))
  LITERAL[byte] = 1

/** A text or a literal that isn't wanted, so that it may be different in an event that repeats. */
export interface Gap {
  from: number
  to: number
  /** 1 for each byte that a literal may have; null for a text, which ends before its quote. */
  bytes: Uint8Array | null
}

/**
 * After this many bytes without a quote, the rest of a text is searched with the faster `indexOf`.
 */
const SHORT_TEXT_BYTES = 32

/**
 * Scans JSON for a few members, in chunks cut anywhere, without keeping or building the rest. It
 * holds at most the wanted scalars, each at most 4 KiB, and 64 elements of a wanted array. It
 * checks no more of the grammar than it needs to find its way, and never throws.
 *
 * A document is the whole value, or if that is an array, each of its elements.
 */
export class JsonScanner {
  /**
   * Collects the gaps of a document that is pushed from its first byte on; null: nobody needs them.
   */
  gaps: Gap[] | null = null
  readonly #root: WantedNode
  readonly #onDocument: (document: Scanned) => void
  #state = VALUE
  /** The open objects and arrays on the way to a wanted value, outermost first. */
  #nodes: WantedNode[] = []
  #targets: (Scanned[] | ScannedObject)[] = []
  /** The name that each of them has in the object around it. */
  #names: string[] = []
  /** The node of the next value; null: it isn't wanted. */
  #node: WantedNode | null
  /** The member of the next value, if the innermost open value is an object. */
  #name = ''
  /** How many objects and arrays of a skipped value are open. */
  #skippedDepth = 0
  /** Whether the last byte was a backslash within a text, which escapes the next byte. */
  #isEscaped = false
  /**
   * Whether a backslash is among the first 32 bytes of the name, so that it must be decoded before
   * it's compared. Wanted names are so short that their first backslash is always among these.
   */
  #hasEscapes = false
  /** The first bytes of a text or literal that goes on in the next chunk. */
  #kept: Buffer = NO_BYTES
  #keptBytes = 0
  /** How many of its bytes were dropped because they are over the limit. */
  #droppedBytes = 0

  constructor(root: WantedNode, onDocument: (document: Scanned) => void) {
    this.#root = root
    this.#onDocument = onDocument
    this.#node = root
  }

  /** Whether the whole value has been read. */
  get isEnded(): boolean {
    return this.#state === ENDED
  }

  /** Whether the bytes aren't JSON. If so, nothing more is read. */
  get isBroken(): boolean {
    return this.#state === BROKEN
  }

  /** Makes the next byte the first of a new value. */
  reset(): void {
    this.#state = VALUE
    if (this.#nodes.length > 0) {
      this.#nodes.length = 0
      this.#targets.length = 0
      this.#names.length = 0
    }
    this.#node = this.#root
    this.#skippedDepth = 0
    this.#isEscaped = false
    this.#keptBytes = 0
    this.#droppedBytes = 0
  }

  /** Reads the bytes from `start` to before `end`. */
  push(bytes: Buffer, start = 0, end = bytes.length): void {
    let at = start
    while (at < end) {
      switch (this.#state) {
        case SKIPPED:
          at = this.#skip(bytes, at, end)
          break
        case SKIPPED_TEXT: {
          const from = at
          at = this.#closingQuote(bytes, at, end)
          if (at < end) {
            this.gaps?.push({ from, to: at, bytes: null })
            at += 1
            this.#state = this.#skippedDepth > 0 ? SKIPPED : AFTER_VALUE
          }
          break
        }
        case WITHIN_NAME:
        case WITHIN_TEXT:
          at = this.#readText(bytes, at, end)
          break
        case WITHIN_LITERAL:
          at = this.#readLiteral(bytes, at, end)
          break
        case ENDED:
        case BROKEN:
          return
        default: {
          const byte = bytes[at] as number
          if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) at += 1
          else at = this.#readStructure(byte, at)
        }
      }
    }
  }

  /** Reads a byte between two tokens, which isn't white space. @returns the next offset */
  #readStructure(byte: number, at: number): number {
    switch (this.#state) {
      case VALUE:
        return this.#beginValue(byte, at)
      case FIRST_NAME:
      case NAME:
        if (byte === QUOTE) {
          this.#state = WITHIN_NAME
          this.#hasEscapes = false
        } else if (byte === CLOSE_OBJECT && this.#state === FIRST_NAME) this.#close(byte)
        else this.#state = BROKEN
        break
      case COLON:
        this.#state = byte === 0x3a ? VALUE : BROKEN
        break
      default:
        // After a value.
        if (byte !== COMMA) this.#close(byte)
        else if (Array.isArray(this.#targets.at(-1))) this.#expectElement()
        else this.#state = NAME
    }
    return at + 1
  }

  #beginValue(byte: number, at: number): number {
    const node = this.#node
    const isRoot = this.#nodes.length === 0
    if (byte === OPEN_OBJECT && node?.members) {
      this.#open(node, {})
      this.#state = FIRST_NAME
    } else if (byte === OPEN_ARRAY && (isRoot || node?.elements)) {
      this.#open(isRoot ? { members: null, elements: this.#root } : (node as WantedNode), [])
      this.#expectElement()
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      this.#skippedDepth = 1
      this.#state = SKIPPED
    } else if (byte === QUOTE) {
      this.#state = node ? WITHIN_TEXT : SKIPPED_TEXT
    } else if (LITERAL[byte] === 1) {
      this.#state = WITHIN_LITERAL
      return at
    } else if (byte === CLOSE_ARRAY) {
      this.#close(byte)
    } else if (!isRoot || !BYTE_ORDER_MARK.includes(byte)) {
      this.#state = BROKEN
    }
    return at + 1
  }

  #open(node: WantedNode, target: Scanned[] | ScannedObject): void {
    this.#nodes.push(node)
    this.#targets.push(target)
    this.#names.push(this.#name)
  }

  #expectElement(): void {
    const elements = (this.#nodes.at(-1) as WantedNode).elements
    this.#node = (this.#targets.at(-1) as Scanned[]).length < MAX_ELEMENTS ? elements : null
    this.#state = VALUE
  }

  #close(byte: number): void {
    const target = this.#targets.pop()
    this.#nodes.pop()
    this.#name = this.#names.pop() ?? ''
    if (target === undefined || byte !== (Array.isArray(target) ? CLOSE_ARRAY : CLOSE_OBJECT)) {
      this.#state = BROKEN
    } else if (this.#nodes.length === 0 && Array.isArray(target)) {
      this.#state = ENDED
    } else {
      this.#deliver(target)
    }
  }

  /** Puts a wanted value into the array or object around it, or passes on a whole document. */
  #deliver(value: Scanned): void {
    const depth = this.#nodes.length
    const target = this.#targets[depth - 1]
    this.#state = target === undefined ? ENDED : AFTER_VALUE
    if (target === undefined || (depth === 1 && Array.isArray(target))) this.#onDocument(value)
    else if (Array.isArray(target)) target.push(value)
    else target[this.#name] = value
  }

  #readText(bytes: Buffer, at: number, end: number): number {
    const quote = this.#closingQuote(bytes, at, end)
    if (quote === end) {
      this.#keep(bytes, at, end)
      return end
    }
    if (this.#state === WITHIN_NAME) {
      const member = this.#takeMember(bytes, at, quote)
      this.#name = member?.name ?? ''
      this.#node = member?.node ?? null
      this.#state = COLON
    } else {
      const text = this.#take(bytes, at, quote)
      if (text === null) this.#state = AFTER_VALUE
      else this.#deliver(text)
    }
    return quote + 1
  }

  #takeMember(bytes: Buffer, from: number, to: number): WantedMember | null {
    const node = this.#nodes[this.#nodes.length - 1]
    if (this.#keptBytes === 0 && !this.#hasEscapes) return memberNamed(node, bytes, from, to)
    const name = Buffer.from(this.#take(bytes, from, to) ?? '')
    return memberNamed(node, name, 0, name.length)
  }

  #readLiteral(bytes: Buffer, from: number, end: number): number {
    let at = from
    while (at < end && LITERAL[bytes[at] as number] === 1) at++
    if (at === end) {
      this.#keep(bytes, from, end)
      return end
    }
    if (this.#node === null) {
      this.#forget()
      this.gaps?.push({ from, to: at, bytes: LITERAL })
      this.#state = AFTER_VALUE
      return at
    }
    const value = literalValue(this.#take(bytes, from, at) ?? '')
    if (value === undefined) this.#state = this.#nodes.length === 0 ? BROKEN : AFTER_VALUE
    else this.#deliver(value)
    return at
  }

  #skip(bytes: Buffer, from: number, end: number): number {
    let at = from
    let depth = this.#skippedDepth
    while (at < end && depth > 0) {
      const kind = CLASSES[bytes[at++] as number]
      if (kind === 0) continue
      if (kind === OPENS) depth += 1
      else if (kind === CLOSES) depth -= 1
      else {
        const quote = this.#closingQuote(bytes, at, end)
        if (quote === end) {
          this.#state = SKIPPED_TEXT
          at = end
          break
        }
        this.gaps?.push({ from: at, to: quote, bytes: null })
        at = quote + 1
      }
    }
    this.#skippedDepth = depth
    if (depth === 0) this.#state = AFTER_VALUE
    return at
  }

  /**
   * Finds the quote that ends a text, from an offset within it.
   *
   * @returns its offset; `end` if the text goes on in the next chunk
   */
  #closingQuote(bytes: Buffer, from: number, end: number): number {
    let at = this.#isEscaped ? from + 1 : from
    this.#isEscaped = false
    for (;;) {
      // Calling `indexOf` takes longer than looking at the bytes of a short text.
      const near = Math.min(end, at + SHORT_TEXT_BYTES)
      while (at < near) {
        const byte = bytes[at]
        if (byte === QUOTE) return at
        if (byte === BACKSLASH) {
          this.#hasEscapes = true
          at += 2
        } else {
          at += 1
        }
      }
      if (at >= end) {
        this.#isEscaped = at > end
        return end
      }
      const quote = bytes.indexOf(QUOTE, at)
      const stop = quote === -1 || quote > end ? end : quote
      let slashes = 0
      while (stop - slashes > at && bytes[stop - slashes - 1] === BACKSLASH) slashes += 1
      const isHidden = slashes % 2 === 1
      if (stop === end) {
        this.#isEscaped = isHidden
        return end
      }
      if (!isHidden) return stop
      at = stop + 1
    }
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.#kept.length === 0) this.#kept = Buffer.allocUnsafe(MAX_TEXT_BYTES)
    const length = Math.min(to - from, MAX_TEXT_BYTES - this.#keptBytes)
    this.#kept.set(bytes.subarray(from, from + length), this.#keptBytes)
    this.#keptBytes += length
    this.#droppedBytes += to - from - length
  }

  /** Decodes a text with its last bytes. @returns null if its escapes are broken */
  #take(bytes: Buffer, from: number, to: number): string | null {
    if (this.#keptBytes === 0 && to - from <= MAX_TEXT_BYTES)
      return unescaped(bytes.toString('utf8', from, to))
    this.#keep(bytes, from, to)
    const text = this.#kept.toString('utf8', 0, this.#keptBytes)
    const isCut = this.#droppedBytes > 0
    this.#forget()
    return unescaped(text, isCut)
  }

  #forget(): void {
    this.#keptBytes = 0
    this.#droppedBytes = 0
  }
}
