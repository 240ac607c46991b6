import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { FastifyInstance } from 'fastify'

export type Encoding = 'br' | 'gzip' | 'identity'

/** A smaller answer fits into one packet without compression. */
const MIN_BYTES = 1024

/**
 * Brotli's quality for an answer that is sent once. Measured on a page of entries of 20 kB: 0.6 ms
 * and 2.3 kB; gzip takes 0.5 ms and gives 2.6 kB; Brotli's own default takes 40 times as long.
 */
const QUALITY = 4

const brotli = promisify(brotliCompress)
const gzipped = promisify(gzip)

/** Returns the best encoding that a client accepts. */
export function encodingFor(acceptEncoding: string | undefined): Encoding {
  const refused = /;\s*q=0(\.0*)?\s*$/
  const accepted = (acceptEncoding ?? '')
    .split(',')
    .filter((coding) => !refused.test(coding))
    .map((coding) => coding.split(';')[0]?.trim().toLowerCase())
  return accepted.includes('br') ? 'br' : accepted.includes('gzip') ? 'gzip' : 'identity'
}

/** The compressed forms of each content, for as long as the content itself is in memory. */
const compressed = new WeakMap<Buffer, Map<Encoding, Promise<Buffer>>>()

/**
 * Compresses a content, once for each encoding.
 *
 * @param quality Brotli's, up to 11; gzip has its default.
 */
export async function compress(encoding: Encoding, content: Buffer, quality: number): Promise<Buffer> {
  const known = compressed.get(content) ?? new Map<Encoding, Promise<Buffer>>()
  compressed.set(content, known)
  const result = known.get(encoding) ?? compressAnew(encoding, content, quality)
  known.set(encoding, result)
  return await result
}

async function compressAnew(encoding: Encoding, content: Buffer, quality: number): Promise<Buffer> {
  if (encoding === 'identity') return content
  if (encoding === 'gzip') return await gzipped(content)
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = constants
  return await brotli(content, {
    params: { [BROTLI_PARAM_QUALITY]: quality, [BROTLI_PARAM_SIZE_HINT]: content.length },
  })
}

/**
 * Compresses every answer that is text and not small, but no streams: they don't run this hook.
 * Clients that share one run of a query get the same bytes, which are compressed once.
 */
export function addCompression(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload
    if (reply.hasHeader('content-encoding') || !isText(String(reply.getHeader('content-type'))))
      return payload
    const content = typeof payload === 'string' ? Buffer.from(payload) : payload
    if (content.length < MIN_BYTES) return payload
    reply.header('vary', 'Accept-Encoding')
    const encoding = encodingFor(request.headers['accept-encoding'])
    if (encoding === 'identity') return payload
    reply.header('content-encoding', encoding)
    // Fastify sets it anew, for HEAD too.
    reply.removeHeader('content-length')
    return await compress(encoding, content, QUALITY)
  })
}

function isText(contentType: string): boolean {
  return /^(text\/|application\/json|image\/svg\+xml)/.test(contentType)
}
