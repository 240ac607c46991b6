export const OBJECT_STORE_ERROR_CODES = ['STORE_AWAY', 'STORE_REFUSED', 'OBJECT_DIFFERS'] as const

export type ObjectStoreErrorCode = (typeof OBJECT_STORE_ERROR_CODES)[number]

/**
 * Thrown when something is wrong with an object store or what it holds. Objects are never
 * overwritten or removed, and those that were created before stay.
 *
 * - `STORE_AWAY`: the store can't be reached, or answers with errors of its own, after eight
 *   attempts. This is temporary: the same command continues later from what is there.
 * - `STORE_REFUSED`: the store doesn't accept the request: credentials, rights, bucket, region, or
 *   it doesn't know conditional writes.
 * - `OBJECT_DIFFERS`: an object is there already, and it doesn't have these bytes.
 */
export class ObjectStoreError extends Error {
  override readonly name = 'ObjectStoreError'
  readonly code: ObjectStoreErrorCode
  /** The object, or the store: `s3://bucket/key`. */
  readonly address: string

  constructor(code: ObjectStoreErrorCode, address: string, message: string, options?: ErrorOptions) {
    super(`${address}: ${message}`, options)
    this.code = code
    this.address = address
  }
}
