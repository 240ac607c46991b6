/** Texts that an object carries with it. */
export type ObjectMetadata = Readonly<Record<string, string>>

/**
 * A place that stores objects under keys, below some prefix. Nothing in it is ever overwritten.
 * Each call retries by itself while the store is briefly unavailable.
 *
 * Each method rejects with ObjectStoreError STORE_AWAY or STORE_REFUSED.
 */
export interface ObjectStore {
  /** The address for messages, without a slash at its end: `s3://bucket/prefix`. */
  readonly name: string
  /** The keys that begin with a text, in the order of their bytes. */
  list(beginning: string): AsyncIterable<string>
  /** The metadata of an object; null if it isn't there. */
  metadata(key: string): Promise<ObjectMetadata | null>
  /** An object; null if it isn't there. */
  read(key: string): Promise<{ bytes: Buffer; metadata: ObjectMetadata } | null>
  /**
   * Creates an object, whole or not at all.
   *
   * @returns false if there is one already, which stays as it is. It may be this very object, if an
   *   answer was lost.
   */
  create(key: string, bytes: Buffer, metadata?: ObjectMetadata): Promise<boolean>
  close(): void
}
