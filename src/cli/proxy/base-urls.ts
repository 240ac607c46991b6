import type { ProxiedUpstream } from '../../clients/proxy/index.js'

/** The variables by which the SDKs of some providers find their base URL; that of the rest is OpenAI's. */
const VARIABLES: Record<string, string> = {
  anthropic: 'ANTHROPIC_BASE_URL',
  google: 'GOOGLE_GEMINI_BASE_URL',
}

/** Says what clients of each upstream set, as lines that a shell reads: `OPENAI_BASE_URL=…`. */
export function baseUrlLines(upstreams: readonly ProxiedUpstream[]): string[] {
  return upstreams.map(({ provider, url, target }) => {
    const variable = VARIABLES[provider]
    if (variable !== undefined) return `${variable}=${url}`
    // Clients of OpenAI's API have the version in their base URL; a target may have it already.
    return `OPENAI_BASE_URL=${url}${/\/v\d+$/.test(target) ? '' : '/v1'}`
  })
}
