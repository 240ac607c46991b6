import { setTimeout as delay } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import { failedImport } from '../errors.js'
import { ObjectStoreError } from './errors.js'
import { type S3Address, s3Address } from './s3-address.js'

/** How often a request is tried, with growing pauses between. */
const ATTEMPTS = 8
const CONNECT_TIMEOUT_MS = 10_000
/** How long the store may stay silent. */
const SILENCE_TIMEOUT_MS = 60_000
/** The pause after another program was creating the same object, or an answer broke off. */
const PAUSE_MS = 250

type Sdk = typeof import('@aws-sdk/client-s3')

async function loadSdk(): Promise<Sdk> {
  try {
    return await import('@aws-sdk/client-s3')
  } catch (error) {
    throw failedImport(error, '@aws-sdk/client-s3', 'the client for s3:// addresses')
  }
}

/** Texts that an object carries with it. */
export type ObjectMetadata = Readonly<Record<string, string>>

/**
 * The objects of a bucket whose keys begin with a prefix. Nothing in it is ever overwritten. Each
 * call retries by itself while the store is briefly unavailable.
 *
 * Each method rejects with ObjectStoreError STORE_AWAY or STORE_REFUSED.
 */
export class ObjectStore {
  /** The address for messages, without a slash at its end: `s3://bucket/prefix`. */
  readonly name: string
  readonly #sdk: Sdk
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string

  private constructor(sdk: Sdk, client: S3Client, { bucket, prefix }: S3Address) {
    this.#sdk = sdk
    this.#client = client
    this.#bucket = bucket
    this.#prefix = prefix
    this.name = `s3://${bucket}/${prefix}`.replace(/\/$/, '')
  }

  /**
   * Opens the store at an `s3://` address: Amazon's, or any other that speaks its protocol.
   * Credentials, region and endpoint are those of the environment and files that Amazon's own tools
   * use, such as `AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, the role of a machine, `AWS_REGION` and
   * `AWS_ENDPOINT_URL`. With an endpoint the bucket is part of the path, unless
   * `AWS_S3_FORCE_PATH_STYLE` is `false`.
   *
   * @throws InputError PACKAGE_MISSING
   */
  static async open(address: string): Promise<ObjectStore> {
    const place = s3Address(address)
    const sdk = await loadSdk()
    const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_S3_FORCE_PATH_STYLE } = process.env
    const hasEndpoint = (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL ?? '') !== ''
    const client = new sdk.S3Client({
      forcePathStyle: (AWS_S3_FORCE_PATH_STYLE ?? String(hasEndpoint)) === 'true',
      maxAttempts: ATTEMPTS,
      requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS },
      // The signature has the SHA-256 already, and not every store knows other checksums.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    })
    return new ObjectStore(sdk, client, place)
  }

  /** The keys that begin with a text, in the order of their bytes. */
  async *list(beginning: string): AsyncGenerator<string> {
    for (let next: string | undefined; ; ) {
      const command = new this.#sdk.ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: `${this.#prefix}${beginning}`,
        ContinuationToken: next,
      })
      const page = await this.#asked(beginning, () => this.#client.send(command))
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) yield Key.slice(this.#prefix.length)
      next = page.NextContinuationToken
      if (next === undefined) return
    }
  }

  /** The metadata of an object; null if it isn't there. */
  async metadata(key: string): Promise<ObjectMetadata | null> {
    const command = new this.#sdk.HeadObjectCommand(this.#place(key))
    const head = await this.#asked(key, () => orNull(this.#client.send(command)))
    return head === null ? null : (head.Metadata ?? {})
  }

  /** An object; null if it isn't there. */
  async read(key: string): Promise<{ bytes: Buffer; metadata: ObjectMetadata } | null> {
    return await this.#asked(key, async () => {
      const object = await orNull(this.#client.send(new this.#sdk.GetObjectCommand(this.#place(key))))
      if (object === null) return null
      const bytes = Buffer.from((await object.Body?.transformToByteArray()) ?? [])
      if (object.ContentLength !== undefined && bytes.length !== object.ContentLength) {
        throw Object.assign(new Error('the answer broke off'), { code: 'ECONNRESET' })
      }
      return { bytes, metadata: object.Metadata ?? {} }
    })
  }

  /**
   * Creates an object, whole or not at all.
   *
   * @returns false if there is one already, which stays as it is. It may be this very object, if an
   *   answer was lost.
   */
  async create(key: string, bytes: Buffer, metadata: ObjectMetadata = {}): Promise<boolean> {
    const object = { ...this.#place(key), Body: bytes, Metadata: { ...metadata }, IfNoneMatch: '*' }
    return await this.#asked(key, async () => {
      try {
        await this.#client.send(new this.#sdk.PutObjectCommand(object))
        return true
      } catch (error) {
        if (statusOf(error) === 412) return false
        throw error
      }
    })
  }

  close(): void {
    this.#client.destroy()
  }

  #place(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: `${this.#prefix}${key}` }
  }

  /** Retries what the client itself doesn't retry, and turns its errors into ObjectStoreErrors. */
  async #asked<T>(key: string, ask: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask()
      } catch (error) {
        // 409: another program is creating this object. An answer that breaks off has no status.
        const isOver = statusOf(error) !== 409 && !isBrokenOff(error)
        if (isOver || attempt === ATTEMPTS) throw this.#errorOf(error, key)
      }
      await delay(PAUSE_MS * attempt)
    }
  }

  #errorOf(error: unknown, key: string): ObjectStoreError {
    const address = `s3://${this.#bucket}/${this.#prefix}${key}`
    const { name, message } = error as Error
    const status = statusOf(error)
    // An answer to HEAD has no text: the client repeats the name instead.
    const found = [name === 'Error' || name === message ? '' : name, message, status ?? '']
    const text = found.filter((part) => part !== '' && part !== 'UnknownError').join(', ')
    const refused = (advice: string) =>
      new ObjectStoreError('STORE_REFUSED', address, `the store refuses (${text}): ${advice}`, {
        cause: error,
      })
    if (message === 'Region is missing') return refused('set AWS_REGION')
    if (name === 'CredentialsProviderError') {
      return refused(
        'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine a role',
      )
    }
    if (status === 501) return refused('it must support conditional writes, which If-None-Match asks for')
    if (status !== undefined && status < 500 && status !== 429 && status !== 408 && status !== 409) {
      return refused('check the bucket, its region, AWS_ENDPOINT_URL and the rights of this user')
    }
    const advice = `it can't be reached or is busy (${text}): run the same command again later`
    return new ObjectStoreError('STORE_AWAY', address, advice, { cause: error })
  }
}

/** @returns null instead of an error if an object isn't there. */
async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    const { name } = error as Error
    if (statusOf(error) === 404 && (name === 'NotFound' || name === 'NoSuchKey')) return null
    throw error
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
}

function isBrokenOff(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return statusOf(error) === undefined && (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
}
