// The first questions go out while the modules that show the answers, and uPlot, are still on their way.
import { askAhead } from './api.js'
import { parseState } from './page-state.js'
import { pageQuery, seriesQuery, statsQuery } from './questions.js'

const state = parseState(location.search)
askAhead('v1/stats', statsQuery(state))
askAhead('v1/series', seriesQuery(state))
askAhead('v1/requests', pageQuery(state, 'start'))
await import('./page.js')
