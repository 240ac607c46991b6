import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Exchange, Interruption } from '../exchange.js'

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
  const isReadable = isPlain || decoder !== null
  // Bytes that can't be decoded say nothing, not even that the answer is incomplete.
  exchange.answered(status, (name) =>
    isReadable || name !== 'content-type' ? header(name) : 'application/octet-stream',
  )
  return isPlain ? new PlainAnswer(exchange) : new EncodedAnswer(exchange, decoder)
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
  /** Null: the encoding isn't known, and the answer is logged without what it says. */
  readonly #decoder: Transform | null
  #onDecoded = () => {}

  constructor(exchange: Exchange, decoder: Transform | null) {
    this.#exchange = exchange
    this.#decoder = decoder
    const end = () => {
      this.#exchange.ended()
      this.#onDecoded()
    }
    decoder?.on('data', (bytes: Buffer) => this.#exchange.chunk(bytes))
    // What can't be decoded is observed as far as it could.
    decoder?.on('end', end).on('error', end)
  }

  chunk(bytes: Buffer): void {
    this.#decoder?.write(bytes)
  }

  ended(then: () => void): void {
    if (this.#decoder === null || this.#decoder.destroyed) {
      this.#exchange.ended()
      then()
      return
    }
    this.#onDecoded = then
    this.#decoder.end()
  }

  failed(interruption: Interruption): void {
    this.#exchange.failed(interruption)
    this.#decoder?.destroy()
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
