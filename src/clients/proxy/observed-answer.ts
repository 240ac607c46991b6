import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Exchange, Interruption } from '../exchange.js'

/**
 * How many bytes of a compressed answer are decoded at most. A few bytes may decode to very many,
 * and the client gets the last ones only after all of them have been read.
 */
const MAX_DECODED_BYTES = 128 * 1024 * 1024

/** Observes the body of one answer as it passes. */
export interface ObservedAnswer {
  chunk(bytes: Buffer): void
  /** To be called when the body has ended. Calls `then` once that is logged. */
  ended(then: () => void): void
  failed(interruption: Interruption): void
}

/**
 * Begins to observe an answer whose head has come. The proxy asks for answers without compression,
 * which need no decoding. If the upstream compresses an answer nevertheless, a copy is decoded.
 *
 * @param exchange null: the answer isn't logged.
 */
export function observedAnswer(
  exchange: Exchange | null,
  status: number,
  header: (name: string) => string | null,
): ObservedAnswer {
  if (exchange === null) return notLogged
  const encoding = header('content-encoding')?.trim().toLowerCase() ?? ''
  const isPlain = encoding === '' || encoding === 'identity'
  const decoder = isPlain ? null : decoderOf(encoding)
  // Bytes that can't be decoded show nothing, not even that the answer is incomplete.
  exchange.answered(status, header, isPlain || decoder !== null)
  const giveUp = () => exchange.answered(status, header, false)
  return isPlain ? plainAnswer(exchange) : new EncodedAnswer(exchange, decoder, giveUp)
}

const notLogged: ObservedAnswer = { chunk() {}, ended: (then) => then(), failed() {} }

function plainAnswer(exchange: Exchange): ObservedAnswer {
  return {
    chunk: (bytes) => exchange.chunk(bytes),
    ended(then) {
      exchange.ended()
      then()
    },
    failed: (interruption) => exchange.failed(interruption),
  }
}

class EncodedAnswer implements ObservedAnswer {
  readonly #exchange: Exchange
  /** Null if decoding has ended, or the encoding isn't known. */
  #decoder: Transform | null
  #decodedBytes = 0
  /** Called once decoding has ended too; null until the body has ended. */
  #afterEnd: (() => void) | null = null

  /** @param giveUp makes the exchange take no notice of the body's content */
  constructor(exchange: Exchange, decoder: Transform | null, giveUp: () => void) {
    this.#exchange = exchange
    this.#decoder = decoder
    const end = () => this.#endDecoding()
    decoder?.on('data', (bytes: Buffer) => {
      this.#decodedBytes += bytes.length
      if (this.#decodedBytes <= MAX_DECODED_BYTES) {
        exchange.chunk(bytes)
      } else if (this.#decoder !== null) {
        giveUp()
        end()
      }
    })
    // If decoding fails, what was decoded until then counts. It may also end before the body does,
    // when padding follows.
    decoder?.on('end', end).on('error', end)
  }

  chunk(bytes: Buffer): void {
    this.#decoder?.write(bytes)
  }

  ended(then: () => void): void {
    this.#afterEnd = then
    if (this.#decoder === null) this.#reportEnd()
    else this.#decoder.end()
  }

  failed(interruption: Interruption): void {
    this.#exchange.failed(interruption)
    this.#decoder?.destroy()
  }

  #endDecoding(): void {
    this.#decoder?.destroy()
    this.#decoder = null
    this.#reportEnd()
  }

  /** Ends the exchange once both the body and its decoding have ended. */
  #reportEnd(): void {
    const afterEnd = this.#afterEnd
    if (afterEnd === null) return
    this.#afterEnd = null
    this.#exchange.ended()
    afterEnd()
  }
}

function decoderOf(encoding: string): Transform | null {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip({ finishFlush: constants.Z_SYNC_FLUSH })
    case 'deflate':
      return createInflate({ finishFlush: constants.Z_SYNC_FLUSH })
    case 'br':
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })
    default:
      return null
  }
}
