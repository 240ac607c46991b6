import { loggedFetch } from './clients-fetch.mjs'
import { ingest } from './clients-ingest.mjs'
import { proxy } from './clients-proxy.mjs'

/** What the clients of src/clients cost, each beside what would do the same without a log. */
const PARTS = [loggedFetch, proxy, ingest]

/** @type {import('../harness/rounds.mjs').Scenario} */
export const clients = {
  name: 'clients',
  measures: PARTS.map(({ measures }) => measures).join('; '),
  statistics: Object.assign({}, ...PARTS.map(({ statistics }) => statistics)),
  rounds: { full: 3, quick: 1 },

  plan: (context) => {
    const plans = PARTS.map(({ plan }) => plan(context))
    return {
      contenders: plans.flatMap(({ contenders }) => contenders),
      targets: plans.flatMap(({ targets }) => targets),
      diskBytes: plans.reduce((sum, { diskBytes }) => sum + diskBytes, 0),
    }
  },
}
