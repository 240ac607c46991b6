/** Texts that an object carries with it. */
export type ObjectMetadata = Readonly<Record<string, string>>

/**
 * A place that keeps objects by their keys, beginning at some prefix. Nothing in it is ever
 * overwritten. Each call tries again by itself while the store is away for a moment.
 *
 * @throws ObjectStoreError STORE_AWAY, STORE_REFUSED, each method as a rejection.
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
   * @returns false if there is one already, which stays as it is. That may be this very one, if an
   *   answer was lost.
   */
  create(key: string, bytes: Buffer, metadata?: ObjectMetadata): Promise<boolean>
  close(): void
}
