/**
 * The names of providers by their hosts, as price lists such as genai-prices have them, so that an
 * imported price finds its requests.
 */
const HOSTS: readonly (readonly [suffix: string, provider: string])[] = [
  ['api.openai.com', 'openai'],
  ['openai.azure.com', 'azure'],
  ['services.ai.azure.com', 'azure'],
  ['cognitiveservices.azure.com', 'azure'],
  ['api.anthropic.com', 'anthropic'],
  ['googleapis.com', 'google'],
  ['openrouter.ai', 'openrouter'],
  ['api.groq.com', 'groq'],
  ['api.mistral.ai', 'mistral'],
  ['api.deepseek.com', 'deepseek'],
  ['api.x.ai', 'x-ai'],
  ['api.cerebras.ai', 'cerebras'],
  ['api.cohere.com', 'cohere'],
  ['api.cohere.ai', 'cohere'],
  ['api.fireworks.ai', 'fireworks'],
  ['api.together.xyz', 'together'],
  ['api.perplexity.ai', 'perplexity'],
  ['api.moonshot.ai', 'moonshotai'],
  ['api.z.ai', 'zai'],
]

/** The name of the provider that answers at a host; the host's own name if it isn't known. */
export function providerOfHost(hostname: string): string {
  const host = hostname.toLowerCase()
  const known = HOSTS.find(([suffix]) => host === suffix || host.endsWith(`.${suffix}`))
  return known?.[1] ?? host
}
