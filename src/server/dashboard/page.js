import { Connection } from './connection.js'
import { Detail } from './detail.js'
import { Filters } from './filters.js'
import { Overview } from './overview.js'
import { formatState, PageStore } from './page-state.js'
import { RequestsSection } from './requests-section.js'
import { startTheme } from './theme.js'
import { refreshEveryMs } from './time-window.js'

const store = new PageStore()
const connection = new Connection(loadAll)
const filters = new Filters(store)
const overview = new Overview({
  onSelect: (since, until) =>
    store.update({
      since: new Date(since * 1000).toISOString(),
      until: new Date(until * 1000 - 1).toISOString(),
    }),
  onStats: (stats) => {
    filters.showAnswer(stats)
    requests.showTotal(store.state, stats.counts.total)
  },
})
const requests = new RequestsSection({
  store,
  onFailure: (error) => connection.failed('requests', error),
  // The very first request is worth more than the usual patience.
  onAdded: () => {
    if (overview.isEmpty && loadsUnderWay === 0) void loadOverview({ isOther: false })
  },
})
const detail = new Detail({
  store,
  neighbours: () => requests.list.table.ids,
  onClosed: (id) => requests.list.table.focus(id),
})

let refreshedAt = 0
let loadsUnderWay = 0

startTheme(() => overview.repaint())
store.subscribe((state, before) => {
  filters.show(state)
  requests.show(state)
  detail.show(state.request, before.request)
  requests.list.table.markOpen()
  // The detail alone changes nothing of what lies under it, nor does the order of the list change a chart.
  if (listPart(state) !== listPart(before)) void report('requests', requests.load(state))
  if (overviewPart(state) !== overviewPart(before)) void loadOverview({ isOther: true })
})
document.addEventListener('visibilitychange', refreshWhenDue)
setInterval(refreshWhenDue, 1000)
detail.show(store.state.request, null)
loadAll()

function loadAll() {
  void loadOverview({ isOther: true })
  void report('requests', requests.load(store.state))
}

/** @param {{ isOther: boolean }} options */
async function loadOverview(options) {
  refreshedAt = Date.now()
  const { state } = store
  loadsUnderWay++
  // What there is to choose from is needed the most where the choice of the moment leads nowhere.
  const work = overview.load(state, options).finally(() => filters.loadChoices(state))
  try {
    await report('overview', work)
  } finally {
    loadsUnderWay--
  }
  if (!options.isOther) void requests.refresh()
  void connection.checkHealth()
}

/** Asks again only while somebody can see it. */
function refreshWhenDue() {
  const every = refreshEveryMs(store.state, Date.now())
  const isDue = every !== null && Date.now() - refreshedAt >= every
  if (document.visibilityState !== 'visible' || loadsUnderWay > 0 || !isDue) return
  void loadOverview({ isOther: false })
}

/**
 * @param {import('./connection.js').Part} part
 * @param {Promise<void>} work
 */
async function report(part, work) {
  try {
    await work
    connection.succeeded(part)
  } catch (error) {
    connection.failed(part, error)
  }
}

/** @param {import('./page-state.js').PageState} state */
function overviewPart(state) {
  return formatState({
    ...state,
    request: null,
    success: '',
    streaming: '',
    correlationId: '',
    sort: 'timestamp',
    order: 'desc',
  })
}

/** @param {import('./page-state.js').PageState} state */
function listPart(state) {
  return formatState({ ...state, request: null, by: 'model' })
}
