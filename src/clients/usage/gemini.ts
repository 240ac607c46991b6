import { type Api, usageOf } from './findings.js'
import type { Usage } from './observation.js'
import { ERROR, readError } from './provider-errors.js'
import { count, isObject, object, objects, sum, text } from './values.js'
import { type Scanned, type ScannedObject, type Wanted, wantedNode } from './wanted-members.js'

const MODALITIES = [{ modality: true, tokenCount: true }] satisfies Wanted

/**
 * `generateContent` and `streamGenerateContent` of Google's Gemini API and of Vertex AI (js-genai,
 * GenerateContentResponse). With `alt=sse` a stream consists of events, and otherwise it's a JSON
 * array of responses. It has no end marker: it has ended once every candidate has a `finishReason`,
 * the prompt has a `blockReason`, or the array is closed.
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
    const open = new Set<Scanned>()
    return (document) => {
      found.response_id ??= text(document['responseId'])
      found.response_model = text(document['modelVersion']) ?? found.response_model
      const { usageMetadata } = document
      if (isObject(usageMetadata)) {
        found.service_tier = tierOf(usageMetadata) ?? found.service_tier
        // The last one wins: each is the running total.
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

function geminiUsage(metadata: ScannedObject): Usage | null {
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
 * Adds the tokens of the thoughts to those of the candidates, which don't include them. Protocol
 * buffers leave out fields that are 0. If both are missing, nothing came out only if the total
 * equals the input.
 */
function outputTokens(metadata: ScannedObject, input: number | null): number | null {
  const candidates = count(metadata['candidatesTokenCount'])
  const thoughts = count(metadata['thoughtsTokenCount'])
  if (candidates !== null || thoughts !== null) return sum(candidates ?? 0, thoughts)
  return input !== null && count(metadata['totalTokenCount']) === input ? 0 : null
}

/**
 * The tokens of one modality: `AUDIO` and `tokenCount`, or `audio` and `tokens` in interactions.
 */
export function tokensOf(modality: string, details: ScannedObject[]): number | null {
  const counts = details
    .filter((detail) => text(detail['modality'])?.toUpperCase() === modality)
    .map((detail) => count(detail['tokenCount'] ?? detail['tokens']))
  return counts.length === 0 || counts.includes(null) ? null : sum(0, ...counts)
}

/** The Gemini API reports a `serviceTier`, Vertex AI a `trafficType` such as `ON_DEMAND_FLEX`. */
function tierOf({ serviceTier, trafficType }: ScannedObject): string | null {
  const tier = text(serviceTier)?.toLowerCase()
  if (tier !== undefined && tier !== 'unspecified') return tier
  const traffic = text(trafficType)?.toLowerCase()
  if (traffic === undefined || traffic === 'traffic_type_unspecified') return null
  return traffic.replace(/^on_demand_/, '')
}
