// What `import … from 'request-journal/proxy'` gives: the proxy, without a database.
export { ProxyError, type ProxyErrorCode } from './errors.js'
export type { ProxyOptions } from './options.js'
export { type ProxiedUpstream, type RunningProxy, startProxy } from './start-proxy.js'
export type { UpstreamOptions } from './upstreams.js'
