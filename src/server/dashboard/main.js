// Sends the first questions while the modules that show the answers, and uPlot, are still loading.
import { askAhead, askTime } from './api/api.js'
import { shownMoment, takeMoment } from './api/clock.js'
import { pageQuery, seriesQuery, statsQuery } from './api/questions.js'
import { parseState } from './page/page-state.js'
import { showZone } from './page/zone.js'

const state = parseState(location.search)
showZone(state.timezone)
await askTime()
takeMoment()
try {
  askAhead('v1/stats', statsQuery(state, shownMoment()))
  askAhead('v1/series', seriesQuery(state, shownMoment()))
  askAhead('v1/requests', pageQuery(state, shownMoment(), 'start'))
} catch {
  // The window is invalid: when page.js asks, the page says so.
}
await import('./page.js')
