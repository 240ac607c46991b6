import { ask } from '../api/api.js'
import { shownMoment } from '../api/clock.js'
import { pageQuery } from '../api/questions.js'
import { byId, element } from '../page/dom.js'
import { csvOf, saveFile } from '../page/file.js'
import { formatCount } from '../page/format.js'
import { closeWhenLeft } from '../page/menu.js'

/** @typedef {'csv' | 'ndjson'} Format */

/**
 * How many requests a file may have: a browser holds them in memory. `export` has no such limit.
 */
const MOST = 10_000
const PER_PAGE = 100

/**
 * The columns, named as in the events and in `request-journal export`.
 *
 * @type {Record<string, (entry: RequestEntry) => unknown>}
 */
const COLUMNS = {
  id: ({ id }) => id,
  correlation_id: (entry) => entry.correlation_id,
  timestamp: ({ timestamp }) => timestamp,
  model: ({ model }) => model,
  provider: ({ provider }) => provider ?? null,
  policy: ({ policy }) => policy ?? null,
  streaming: ({ streaming }) => streaming,
  success: ({ success }) => success,
  input_tokens: ({ tokens }) => tokens.input,
  output_tokens: ({ tokens }) => tokens.output,
  cost_sats: ({ cost }) => cost.sats,
  latency_ms: ({ timing }) => timing.latency_ms,
  stream_duration_ms: ({ timing }) => timing.stream_duration_ms ?? null,
  error_status: ({ error }) => error?.status ?? null,
  error_message: ({ error }) => error?.message ?? null,
  labels: ({ labels }) => labels ?? undefined,
  attempt: ({ attempt }) => attempt ?? null,
  cost_usd: ({ cost }) => cost.usd ?? null,
}

/** The menu to download the requests of the list as a file, in the order of the list. */
export class Download {
  #menu = byId('download', HTMLDetailsElement)
  #title = element('span', '', 'Download')

  /**
   * @param {object} hooks
   * @param {PageStore} hooks.store
   * @param {(error: unknown) => void} hooks.onFailure
   * @param {(text: string) => void} hooks.onCut called if the file has only the first requests
   */
  constructor({ store, onFailure, onCut }) {
    this.store = store
    this.onFailure = onFailure
    this.onCut = onCut
    this.#menu.querySelector('summary')?.replaceChildren(this.#title)
    this.#menu.addEventListener('click', ({ target }) => {
      const format = target instanceof HTMLButtonElement ? target.value : ''
      if (format === 'csv' || format === 'ndjson') void this.#start(format)
    })
    closeWhenLeft(this.#menu)
  }

  /** @param {Format} format */
  async #start(format) {
    if (this.#menu.inert) return
    this.#menu.open = false
    this.#menu.inert = true
    try {
      const { entries, isCut } = await this.#askAll()
      save(format, entries)
      const first = `the first ${formatCount(MOST)} requests of the list`
      if (isCut) this.onCut(`It has ${first}. To get all of them: request-journal export`)
    } catch (error) {
      this.onFailure(error)
    } finally {
      this.#menu.inert = false
      this.#title.textContent = 'Download'
    }
  }

  /** @returns {Promise<{ entries: RequestEntry[], isCut: boolean }>} */
  async #askAll() {
    const { state } = this.store
    const moment = shownMoment()
    /** @type {RequestEntry[]} */
    const entries = []
    /** @type {string | undefined} */
    let cursor = 'start'
    while (cursor !== undefined && entries.length < MOST) {
      const query = pageQuery(state, moment, cursor, PER_PAGE)
      const page = /** @type {RequestCursorPage} */ (await ask('v1/requests', query))
      entries.push(...page.data)
      cursor = page.next_cursor
      this.#title.textContent = `${formatCount(entries.length)} …`
    }
    return { entries, isCut: cursor !== undefined }
  }
}

/**
 * @param {Format} format
 * @param {RequestEntry[]} entries
 */
function save(format, entries) {
  const rows = entries.map((entry) =>
    Object.fromEntries(Object.entries(COLUMNS).map(([name, read]) => [name, read(entry)])),
  )
  const text =
    format === 'csv'
      ? csvOf(Object.keys(COLUMNS), rows)
      : rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  saveFile('requests', format, text)
}
