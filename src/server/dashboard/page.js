import { ApiError } from './api/api.js'
import { shownMoment, takeMoment } from './api/clock.js'
import { Filters } from './controls/filters.js'
import { choiceOf } from './controls/name-choice.js'
import { ShareMenu } from './controls/share-menu.js'
import { Overview } from './figures/overview.js'
import { Connection } from './page/connection.js'
import { byId } from './page/dom.js'
import { startKeyboard } from './page/keyboard.js'
import { formatState, PageStore } from './page/page-state.js'
import { startTheme } from './page/theme.js'
import { refreshEveryMs } from './page/time-window.js'
import { Detail } from './requests/detail.js'
import { Download } from './requests/download.js'
import { RequestsSection } from './requests/requests-section.js'

/** How soon the figures are updated after new requests … */
const NEWS_MS = 2000
/** … unless asking for them would take more than this share of the time. */
const MOST_LOAD = 1 / 20

const store = new PageStore()
const connection = new Connection(loadAll)
const filters = new Filters(store)
const overview = new Overview({
  onSelect: (since, before) =>
    store.update({
      since: new Date(since * 1000).toISOString(),
      until: null,
      before: new Date(before * 1000).toISOString(),
    }),
  chooserOf: (by, name) => {
    if (choiceOf(store.state, by, name) === null) return null
    return () => store.update(choiceOf(store.state, by, name) ?? {})
  },
  onOthers: () => void openSums(),
  onStatus: (status) => {
    const isChosen = store.state.error_status === status
    store.update(isChosen ? { error_status: '', success: '' } : { error_status: status, success: 'false' })
  },
  onUnpriced: (currency) => {
    store.update({ unpriced: currency, success: '' })
    byId('requests', HTMLElement).scrollIntoView({ block: 'start' })
  },
  onStats: (stats) => {
    filters.showAnswer(stats)
    share.showAnswer(stats)
    requests.showTotal(stats)
  },
})
const requests = new RequestsSection({
  store,
  onFailure: (error) => connection.failed('requests', error),
  onAdded: () => {
    hasNews = true
  },
  onLabels: (names) => filters.offerLabels(names),
})
const detail = new Detail({
  store,
  neighbours: () => requests.list.table.ids,
  onClosed: (id) => requests.list.table.focus(id),
})

const share = new ShareMenu(store, (text) =>
  connection.showNote('share', 'Browsers only let pages with https copy. Copy this yourself:', text),
)
startKeyboard({
  '/': () => byId('model', HTMLInputElement).focus(),
  ...Object.fromEntries(
    ['1h', '24h', '7d', '30d'].map((range, index) => [
      String(index + 1),
      () => store.update({ range, since: null, until: null, before: null }),
    ]),
  ),
  u: () => filters.toggleZone(),
  p: () => requests.togglePause(),
  c: () => void share.copyLink(),
  j: () => detail.step(1),
  k: () => detail.step(-1),
})

new Download({
  store,
  onFailure: (error) => connection.failed('requests', error),
  onCut: (text) => connection.showNote('download', 'The file doesn’t have all requests.', text),
})

let refreshedAt = 0
let tookMs = 0
let loadsUnderWay = 0
/** Whether there are new requests that aren't in the figures yet. */
let hasNews = false
/** Whether there is no database yet. */
let isWaiting = false
/** @type {import('./figures/sums.js').Sums | null} */
let sums = null

startTheme(() => overview.repaint())
store.subscribe((state, before) => {
  filters.show(state)
  requests.list.table.follow()
  detail.show(state.request, before.request)
  connection.showAddress(state.notUnderstood)
  // Opening a detail changes nothing below it, and the order of the list changes no chart.
  const isOtherList = listPart(state) !== listPart(before)
  const isOtherOverview = overviewPart(state) !== overviewPart(before)
  if (isOtherList && isOtherOverview) takeMoment()
  if (isOtherList) void report('requests', requests.load(state))
  if (isOtherOverview) void loadOverview({ isOther: true })
})
document.addEventListener('visibilitychange', refreshWhenDue)
setInterval(refreshWhenDue, 1000)
byId('open-sums', HTMLButtonElement).addEventListener('click', () => void openSums())
detail.show(store.state.request, null)
connection.showAddress(store.state.notUnderstood)
// The first load shows the moment at which main.js asked the first questions.
void loadOverview({ isOther: true })
void report('requests', requests.load(store.state))

function loadAll() {
  takeMoment()
  void loadOverview({ isOther: true })
  void report('requests', requests.load(store.state))
}

/** Opens the drawer with the sums. Its module is none that the first figures wait for. */
async function openSums() {
  const { Sums } = await import('./figures/sums.js')
  sums ??= new Sums(store)
  sums.open()
}

/** @param {{ isOther: boolean }} options */
async function loadOverview(options) {
  refreshedAt = Date.now()
  hasNews = false
  const { state } = store
  loadsUnderWay++
  const work = overview.load(state, options).finally(() => filters.askForFields())
  try {
    await report('overview', work)
  } finally {
    loadsUnderWay--
    tookMs = Date.now() - refreshedAt
  }
  void connection.checkHealth()
}

/**
 * Asks again for everything that is shown, as of one moment, but only while the page is visible.
 */
function refreshWhenDue() {
  const isEmpty = isWaiting || !byId('welcome', HTMLElement).hidden
  const usual = isEmpty ? NEWS_MS : refreshEveryMs(store.state, shownMoment())
  if (document.visibilityState !== 'visible' || loadsUnderWay > 0 || usual === null) return
  const every = Math.max(hasNews ? NEWS_MS : usual, tookMs / MOST_LOAD)
  if (Date.now() - refreshedAt < every) return
  takeMoment()
  void loadOverview({ isOther: false })
  void report('requests', requests.list.catchUp())
}

/**
 * @param {import('./page/connection.js').Part} part
 * @param {Promise<void>} work
 */
async function report(part, work) {
  try {
    await work
    isWaiting = false
    connection.succeeded(part)
  } catch (error) {
    isWaiting = error instanceof ApiError && error.kind === 'waits'
    connection.failed(part, error)
  }
}

/** @param {PageState} state */
function overviewPart(state) {
  return formatState({ ...state, request: null, sort: 'timestamp', order: 'desc', columns: '' })
}

/** @param {PageState} state */
function listPart(state) {
  return formatState({ ...state, request: null, by: 'model', columns: '' })
}
