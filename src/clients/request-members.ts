import { FormFields } from './form-fields.js'
import { JsonScanner } from './usage/json-scanner.js'
import { object } from './usage/values.js'
import { type ScannedObject, wantedNode } from './usage/wanted-members.js'

const WANTED = ['model', 'stream', 'service_tier']
const WANTED_NODE = wantedNode({ model: true, stream: true, service_tier: true })

/**
 * Finds in a request's body the only three members that may be logged, `model`, `stream` and
 * `service_tier`. The body is JSON or a form, comes in chunks cut anywhere, and isn't kept.
 */
export class RequestMembers {
  #found: ScannedObject = {}
  readonly #reader: JsonScanner | FormFields

  /** @param contentType the value of that header; null if the request doesn't have it. */
  constructor(contentType: string | null) {
    const [, quoted, bare] =
      /^multipart\/form-data;.*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType ?? '') ?? []
    const boundary = quoted ?? bare
    if (boundary === undefined) {
      this.#reader = new JsonScanner(WANTED_NODE, (document) => {
        this.#found = object(document)
      })
    } else {
      const fields = new FormFields(boundary, WANTED)
      this.#found = fields.found
      this.#reader = fields
    }
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }

  /** The members found so far. JSON gives its members only once it has been read to its end. */
  get found(): Readonly<ScannedObject> {
    return this.#found
  }
}
