import { ask } from '../api/api.js'
import { shownMoment } from '../api/clock.js'
import { pageQuery } from '../api/questions.js'
import { byId, element } from '../page/dom.js'
import { csvOf, saveFile } from '../page/file.js'
import { formatCount } from '../page/format.js'
import { closeWhenLeft } from '../page/menu.js'

/**
 * @typedef {import('../../../queries/index.js').RequestEntry} RequestEntry
 * @typedef {import('../../../queries/index.js').RequestCursorPage} RequestCursorPage
 * @typedef {'csv' | 'ndjson'} Format
 */

/**
 * How many requests a file may have: a browser holds them in memory. `export` has no such limit.
 */
const MOST = 10_000
const PER_PAGE = 100

/** The columns, named as in the events and in `request-journal export`. */
const COLUMNS = /** @type {const} */ ([
  'id',
  'correlation_id',
  'timestamp',
  'model',
  'provider',
  'policy',
  'streaming',
  'success',
  'input_tokens',
  'output_tokens',
  'cost_sats',
  'latency_ms',
  'stream_duration_ms',
  'error_status',
  'error_message',
  'labels',
  'attempt',
  'cost_usd',
])

/** The menu to download the requests of the list as a file, in the order of the list. */
export class Download {
  #menu = byId('download', HTMLDetailsElement)
  #title = element('span', '', 'Download')

  /**
   * @param {object} hooks
   * @param {import('../page/page-state.js').PageStore} hooks.store
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
      const command = 'request-journal export'
      if (isCut)
        this.onCut(
          `It has the first ${formatCount(MOST)} requests of the list. To get all of them: ${command}`,
        )
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
      const query = pageQuery(state, moment, cursor)
      query.set('per_page', String(PER_PAGE))
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
  const rows = entries.map(recordOf)
  const text =
    format === 'csv' ? csvOf(COLUMNS, rows) : rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  saveFile('requests', format, text)
}

/**
 * @param {RequestEntry} entry
 * @returns {Record<typeof COLUMNS[number], unknown>}
 */
function recordOf({ tokens, cost, timing, error, provider, policy, labels, attempt, ...entry }) {
  return {
    id: entry.id,
    correlation_id: entry.correlation_id,
    timestamp: entry.timestamp,
    model: entry.model,
    provider: provider ?? null,
    policy: policy ?? null,
    streaming: entry.streaming,
    success: entry.success,
    input_tokens: tokens.input,
    output_tokens: tokens.output,
    cost_sats: cost.sats,
    latency_ms: timing.latency_ms,
    stream_duration_ms: timing.stream_duration_ms ?? null,
    error_status: error?.status ?? null,
    error_message: error?.message ?? null,
    labels: labels ?? undefined,
    attempt: attempt ?? null,
    cost_usd: cost.usd ?? null,
  }
}
