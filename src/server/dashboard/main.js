// The first questions go out while the modules that show the answers, and uPlot, are still on their way.
import { askAhead, askTime } from './api.js'
import { shownMoment, takeMoment } from './clock.js'
import { parseState } from './page-state.js'
import { pageQuery, seriesQuery, statsQuery } from './questions.js'

const state = parseState(location.search)
await askTime()
takeMoment()
try {
  askAhead('v1/stats', statsQuery(state, shownMoment()))
  askAhead('v1/series', seriesQuery(state, shownMoment()))
  askAhead('v1/requests', pageQuery(state, shownMoment(), 'start'))
} catch {
  // The window makes no sense: whoever asks next says so.
}
await import('./page.js')
