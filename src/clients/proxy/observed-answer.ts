import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Exchange, Interruption } from '../exchange.js'

/**
 * An answer that is larger, once decoded, isn't read any further: a small one may be a bomb, and its
 * client waits for its last bytes until it has been read.
 */
const MAX_DECODED_BYTES = 128 * 1024 * 1024

/** Is told the body of an answer while it passes. */
export interface ObservedAnswer {
  chunk(bytes: Buffer): void
  /** The body has ended. Calls `then` once that is logged. */
  ended(then: () => void): void
  failed(interruption: Interruption): void
}

/**
 * Observes an answer whose head has come. The proxy asks for one that isn't compressed, which costs
 * nothing to read; if the upstream compresses it all the same, a copy of its bytes is decoded.
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
  // Bytes that aren't decoded say nothing, not even that the answer is incomplete.
  exchange.answered(status, header, isPlain || decoder !== null)
  const giveUp = () => exchange.answered(status, header, false)
  return isPlain ? new PlainAnswer(exchange) : new EncodedAnswer(exchange, decoder, giveUp)
}

const notLogged: ObservedAnswer = { chunk() {}, ended: (then) => then(), failed() {} }

class PlainAnswer implements ObservedAnswer {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  chunk(bytes: Buffer): void {
    this.#exchange.chunk(bytes)
  }

  ended(then: () => void): void {
    this.#exchange.ended()
    then()
  }

  failed(interruption: Interruption): void {
    this.#exchange.failed(interruption)
  }
}

class EncodedAnswer implements ObservedAnswer {
  readonly #exchange: Exchange
  /** Null: nothing is decoded any more, or the encoding isn't known. */
  #decoder: Transform | null
  #decodedBytes = 0
  /** What waits for the end of decoding. */
  #then: (() => void) | null = null

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
    // Bytes that can't be decoded are observed as far as they could. Decoding may end before the
    // body does: what follows then is padding.
    decoder?.on('end', end).on('error', end)
  }

  chunk(bytes: Buffer): void {
    this.#decoder?.write(bytes)
  }

  ended(then: () => void): void {
    this.#then = then
    if (this.#decoder === null) this.#tellEnd()
    else this.#decoder.end()
  }

  failed(interruption: Interruption): void {
    this.#exchange.failed(interruption)
    this.#decoder?.destroy()
  }

  #endDecoding(): void {
    this.#decoder?.destroy()
    this.#decoder = null
    this.#tellEnd()
  }

  /** The exchange has ended once both the body and its decoding have. */
  #tellEnd(): void {
    const then = this.#then
    if (then === null) return
    this.#then = null
    this.#exchange.ended()
    then()
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
