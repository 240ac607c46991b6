import { FormFields } from './form-fields.js'
import { object } from './usage/findings.js'
import { JsonScanner } from './usage/json-scanner.js'
import { type ToldObject, wantedNode } from './usage/wanted.js'

const WANTED = ['model', 'stream', 'service_tier']
const WANTED_NODE = wantedNode({ model: true, stream: true, service_tier: true })

/**
 * Reads the members of a request's body that may be logged, and nothing else of it: `model`, `stream`
 * and `service_tier`, of JSON or of a form. The body comes in chunks cut anywhere, and isn't kept.
 */
export class RequestMembers {
  #told: ToldObject = {}
  readonly #reader: JsonScanner | FormFields

  /** @param contentType the header of that name */
  constructor(contentType: string | null) {
    const [, quoted, bare] =
      /^multipart\/form-data;.*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType ?? '') ?? []
    const boundary = quoted ?? bare
    if (boundary === undefined) {
      this.#reader = new JsonScanner(WANTED_NODE, (document) => {
        this.#told = object(document)
      })
    } else {
      const fields = new FormFields(boundary, WANTED)
      this.#told = fields.told
      this.#reader = fields
    }
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }

  /** The members found so far. Those of JSON are found when it ends. */
  get told(): Readonly<ToldObject> {
    return this.#told
  }
}
