/** Where objects are: a bucket, and how their keys begin. */
export interface S3Address {
  bucket: string
  /** Empty, or ends with a slash. */
  prefix: string
}

/** The names that S3 allows, which are those of hosts. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

export function isS3Address(text: string): boolean {
  return /^s3:/i.test(text)
}

/**
 * Parses `s3://bucket` or `s3://bucket/prefix`.
 *
 * @throws Error whose message says what was expected.
 */
export function s3Address(text: string): S3Address {
  const [, bucket = '', path = ''] = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(text) ?? []
  const prefix = path.replace(/\/+$/, '')
  const hasOddPart = prefix.split('/').some((part) => part === '.' || part === '..')
  if (!BUCKET.test(bucket) || prefix.startsWith('/') || prefix.includes('//') || hasOddPart) {
    throw new Error(`Expected s3://bucket/prefix, found ${text}.`)
  }
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/` }
}
