import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** What a store does to a request instead of answering it, each time once. */
export type S3Fault =
  /** It is busy, and nothing happened. */
  | 'slow-down'
  /** The connection breaks before anything happened. */
  | 'cut'
  /** The request was carried out, and its answer is lost. */
  | 'lose-answer'
  /** Half of an answer comes. */
  | 'cut-answer'

export interface StoredObject {
  bytes: Buffer
  metadata: Record<string, string>
}

const ACCESS_KEY = 'test-key'
const SECRET = 'test-secret'
const REGION = 'eu-test-1'

/**
 * A server with the protocol of S3, as much as conditional writes need: PUT with `If-None-Match`, GET, HEAD and lists of
 * a few keys at a time, in one bucket named `logs`. It checks every signature and the SHA-256 of what is sent.
 */
export class S3Server {
  readonly objects = new Map<string, StoredObject>()
  /** Every request that was answered: `PUT key`. */
  readonly requests: string[] = []
  /** What happens to the next requests of a method; the rest is answered. */
  readonly faults: { method: string; fault: S3Fault }[] = []
  /** Whether it refuses every signature. */
  refusesAll = false
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  /** Starts a server, and points the environment at it until the test is over. */
  static async start(): Promise<S3Server> {
    const server = new S3Server()
    server.#server.on('connection', (socket) => {
      server.#sockets.add(socket)
      socket.on('close', () => server.#sockets.delete(socket))
    })
    await once(server.#server.listen(0, '127.0.0.1'), 'listening')
    // Not by stubs: each command that a test runs takes those back.
    Object.assign(process.env, server.environment)
    onTestFinished(async () => {
      for (const name of Object.keys(server.environment)) delete process.env[name]
      await server.stop()
    })
    return server
  }

  get environment(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET,
      // Otherwise the client looks for a machine that gives it a role.
      AWS_EC2_METADATA_DISABLED: 'true',
    }
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '' } = request
    const url = new URL(request.url ?? '', 'http://store')
    const parts: Buffer[] = []
    try {
      for await (const part of request) parts.push(part)
    } catch {
      return
    }
    const body = Buffer.concat(parts)
    const at = this.faults.findIndex((one) => one.method === method)
    const fault = at === -1 ? null : this.faults.splice(at, 1)[0]?.fault
    if (fault === 'cut') return void request.socket.destroy()
    if (fault === 'slow-down') return void send(response, 503, errorXml('SlowDown'))
    const problem = this.#problemOf(request, url, body)
    if (problem !== null) return void send(response, 403, errorXml(problem))
    const key = decodeURIComponent(url.pathname.slice('/logs/'.length))
    this.requests.push(`${method} ${key}`)
    const answer = this.#carryOut(request, url, key, body)
    if (fault === 'lose-answer') return void request.socket.destroy()
    if (fault === 'cut-answer') {
      response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length })
      response.write(answer.body.subarray(0, answer.body.length >> 1), () => request.socket.destroy())
      return
    }
    send(response, answer.status, answer.body, answer.headers)
  }

  #carryOut({ method, headers }: IncomingMessage, url: URL, key: string, body: Buffer): Answer {
    if (!url.pathname.startsWith('/logs')) return answer(404, errorXml('NoSuchBucket'))
    if (method === 'GET' && url.searchParams.get('list-type') === '2') return this.#list(url)
    const found = this.objects.get(key)
    if (method === 'PUT') {
      if (headers['if-none-match'] !== '*') return answer(400, errorXml('OverwritesAreNotExpected'))
      if (found !== undefined) return answer(412, errorXml('PreconditionFailed'))
      const metadata = Object.entries(headers)
        .filter(([name]) => name.startsWith('x-amz-meta-'))
        .map(([name, value]) => [name.slice('x-amz-meta-'.length), String(value)])
      this.objects.set(key, { bytes: body, metadata: Object.fromEntries(metadata) })
      return answer(200, '')
    }
    if (found === undefined) return answer(404, method === 'HEAD' ? '' : errorXml('NoSuchKey'))
    const named = Object.entries(found.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value])
    return {
      status: 200,
      body: method === 'HEAD' ? Buffer.alloc(0) : found.bytes,
      headers: Object.fromEntries(named),
    }
  }

  #list(url: URL): Answer {
    const prefix = url.searchParams.get('prefix') ?? ''
    const after = url.searchParams.get('continuation-token') ?? ''
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const page = keys.slice(0, 3)
    const next =
      keys.length > page.length ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
    const contents = page.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')
    return answer(200, `<ListBucketResult>${contents}${next}</ListBucketResult>`)
  }

  /** What is wrong with a request's signature or with what was sent; null: nothing. */
  #problemOf(request: IncomingMessage, url: URL, body: Buffer): string | null {
    const { headers, method = '' } = request
    const pattern =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
    const [, id, day = '', region, names = '', signature] = pattern.exec(headers.authorization ?? '') ?? []
    if (this.refusesAll || id !== ACCESS_KEY || region !== REGION) return 'InvalidAccessKeyId'
    if (headers['x-amz-content-sha256'] !== sha256(body)) return 'XAmzContentSHA256Mismatch'
    const query = [...url.searchParams].map((pair) => pair.map(uriEncoded).join('=')).sort()
    const signed = names.split(';').map((name) => `${name}:${String(headers[name] ?? '').trim()}\n`)
    const canonical = [method, url.pathname, query.join('&'), signed.join(''), names, sha256(body)].join('\n')
    const scope = `${day}/${region}/s3/aws4_request`
    const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n')
    const key = [day, REGION, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${SECRET}`)
    return hmac(key, toSign).toString('hex') === signature ? null : 'SignatureDoesNotMatch'
  }
}

interface Answer {
  status: number
  body: Buffer
  headers: Record<string, string>
}

function answer(status: number, text: string): Answer {
  return { status, body: Buffer.from(text), headers: { 'content-type': 'application/xml' } }
}

function send(response: ServerResponse, status: number, body: string | Buffer, headers = {}): void {
  response.writeHead(status, headers).end(body)
}

function errorXml(code: string): string {
  return `<Error><Code>${code}</Code><Message>${code} was found</Message></Error>`
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}

function uriEncoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
