import { ERROR, readError } from './errors.js'
import { type Api, count, isObject, object, objects, sum, text, usageOf } from './findings.js'
import type { Usage } from './observation.js'
import { type Told, type ToldObject, type Wanted, wantedNode } from './wanted.js'

const MODALITIES = [{ modality: true, tokenCount: true }] satisfies Wanted

/**
 * `generateContent` and `streamGenerateContent` of Google's Gemini API and of Vertex AI (js-genai,
 * GenerateContentResponse). A stream has the form of events with `alt=sse`, and otherwise of a JSON
 * array, each element a response. No mark ends it, but every candidate's `finishReason` does, or the
 * reason why the prompt was blocked, or the end of the array.
 */
export const GEMINI: Api = {
  wanted: wantedNode({
    responseId: true,
    modelVersion: true,
    candidates: [{ index: true, finishReason: true }],
    promptFeedback: { blockReason: true },
    usageMetadata: {
      promptTokenCount: true,
      candidatesTokenCount: true,
      thoughtsTokenCount: true,
      toolUsePromptTokenCount: true,
      cachedContentTokenCount: true,
      totalTokenCount: true,
      promptTokensDetails: MODALITIES,
      toolUsePromptTokensDetails: MODALITIES,
      candidatesTokensDetails: MODALITIES,
      serviceTier: true,
      trafficType: true,
    },
    error: ERROR,
  }),
  reader(found) {
    const open = new Set<Told>()
    return (document) => {
      found.response_id ??= text(document['responseId'])
      found.response_model = text(document['modelVersion']) ?? found.response_model
      const { usageMetadata } = document
      if (isObject(usageMetadata)) {
        found.service_tier = tierOf(usageMetadata) ?? found.service_tier
        // The last one wins: each counts on.
        found.usage = geminiUsage(usageMetadata) ?? found.usage
      }
      for (const candidate of objects(document['candidates'])) {
        const index = candidate['index'] ?? 0
        if (candidate['finishReason']) open.delete(index)
        else open.add(index)
        if (candidate['finishReason']) found.isEnded = true
      }
      if (object(document['promptFeedback'])['blockReason']) found.isEnded = true
      if (open.size > 0) found.isEnded = false
      readError(document, found)
    }
  },
}

function geminiUsage(metadata: ToldObject): Usage | null {
  const prompt = count(metadata['promptTokenCount'])
  const input = sum(prompt, count(metadata['toolUsePromptTokenCount']))
  const inputDetails = [
    ...objects(metadata['promptTokensDetails']),
    ...objects(metadata['toolUsePromptTokensDetails']),
  ]
  return usageOf({
    input_tokens: input,
    output_tokens: outputTokens(metadata, input),
    cache_read_input_tokens: count(metadata['cachedContentTokenCount']),
    audio_input_tokens: tokensOf('AUDIO', inputDetails),
    image_input_tokens: tokensOf('IMAGE', inputDetails),
    reasoning_output_tokens: count(metadata['thoughtsTokenCount']),
    audio_output_tokens: tokensOf('AUDIO', objects(metadata['candidatesTokensDetails'])),
  })
}

/**
 * The candidates' tokens and the thoughts', which they don't include. Both may be left out when they
 * are 0, as protocol buffers do: then the total has to say that nothing came out.
 */
function outputTokens(metadata: ToldObject, input: number | null): number | null {
  const candidates = count(metadata['candidatesTokenCount'])
  const thoughts = count(metadata['thoughtsTokenCount'])
  if (candidates !== null || thoughts !== null) return sum(candidates ?? 0, thoughts)
  return input !== null && count(metadata['totalTokenCount']) === input ? 0 : null
}

/** The tokens of one modality: `AUDIO` and `tokenCount`, or `audio` and `tokens` in interactions. */
export function tokensOf(modality: string, details: ToldObject[]): number | null {
  const counts = details
    .filter((detail) => text(detail['modality'])?.toUpperCase() === modality)
    .map((detail) => count(detail['tokenCount'] ?? detail['tokens']))
  return counts.length === 0 || counts.includes(null) ? null : sum(0, ...counts)
}

/** The Gemini API tells a `serviceTier`; Vertex AI a `trafficType`, as `ON_DEMAND_FLEX`. */
function tierOf({ serviceTier, trafficType }: ToldObject): string | null {
  const tier = text(serviceTier)?.toLowerCase()
  if (tier !== undefined && tier !== 'unspecified') return tier
  const traffic = text(trafficType)?.toLowerCase()
  if (traffic === undefined || traffic === 'traffic_type_unspecified') return null
  return traffic.replace(/^on_demand_/, '')
}
