// What `import … from 'request-journal/fetch'` gives.
export { loggedFetch } from './logged-fetch.js'
export type { LoggedFetchOptions, OutgoingRequest } from './options.js'
