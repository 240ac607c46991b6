import type { ProxiedUpstream } from '../../clients/proxy/index.js'

/**
 * The environment variables from which some providers' SDKs take their base URL; the others use
 * OpenAI's.
 */
const VARIABLES: Record<string, string> = {
  anthropic: 'ANTHROPIC_BASE_URL',
  google: 'GOOGLE_GEMINI_BASE_URL',
}

/**
 * Lists the variable that clients of each upstream set, in lines that a shell can read:
 * `OPENAI_BASE_URL=…`.
 */
export function baseUrlLines(upstreams: readonly ProxiedUpstream[]): string[] {
  return upstreams.map(({ provider, url, target }) => {
    const variable = VARIABLES[provider]
    if (variable !== undefined) return `${variable}=${url}`
    // Clients of OpenAI's API have the version in their base URL; a target may have it already.
    return `OPENAI_BASE_URL=${url}${/\/v\d+$/.test(target) ? '' : '/v1'}`
  })
}
