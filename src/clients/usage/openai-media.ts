import { COST_MEMBERS, readCosts } from './costs.js'
import { type Api, usageOf } from './findings.js'
import type { Usage } from './observation.js'
import { ERROR, readError } from './provider-errors.js'
import { count, object, text } from './values.js'
import { type Scanned, type ScannedObject, type Wanted, wantedNode } from './wanted-members.js'

const USAGE = { input_tokens: true, output_tokens: true, ...COST_MEMBERS } satisfies Wanted

/**
 * Embeddings (openai-openapi, CreateEmbeddingResponse). Vectors aren't tokens, so the total is the
 * input; some servers report only the total (docs.voyageai.com, "Text embeddings").
 */
export const EMBEDDINGS: Api = {
  wanted: wantedNode({
    id: true,
    model: true,
    usage: { prompt_tokens: true, completion_tokens: true, total_tokens: true, ...COST_MEMBERS },
    error: ERROR,
  }),
  reader: (found) => (document) => {
    const usage = object(document['usage'])
    const total = count(usage['total_tokens'])
    const input = count(usage['prompt_tokens']) ?? total
    const output =
      count(usage['completion_tokens']) ?? (total === null || input === null ? null : total - input)
    found.response_id ??= text(document['id'])
    found.response_model = text(document['model']) ?? found.response_model
    found.usage =
      usageOf({ input_tokens: input, output_tokens: count(output ?? undefined), ...readCosts(usage) }) ??
      found.usage
    readError(document, found)
  },
}

/**
 * Transcriptions, translations and speech (openai-openapi, CreateTranscriptionResponseJson,
 * TranscriptTextDoneEvent, SpeechAudioDoneEvent). Usage by duration reports no tokens; nor do
 * answers that are text, subtitles or sound.
 */
export const AUDIO: Api = {
  wanted: wantedNode({
    type: true,
    usage: { ...USAGE, input_token_details: { audio_tokens: true } },
    error: ERROR,
  }),
  reader: (found) => (document) => {
    const { audio_tokens } = object(object(document['usage'])['input_token_details'])
    found.usage = mediaUsage(document, { audio_input_tokens: count(audio_tokens) }) ?? found.usage
    if (AUDIO_ENDS.has(document['type'])) found.isEnded = true
    readError(document, found)
  },
}

const AUDIO_ENDS = new Set<Scanned | undefined>(['transcript.text.done', 'speech.audio.done'])

/** Images (openai-openapi, ImagesResponse, ImageGenCompletedEvent, ImageEditCompletedEvent). */
export const IMAGES: Api = {
  wanted: wantedNode({
    type: true,
    usage: { ...USAGE, input_tokens_details: { image_tokens: true } },
    error: ERROR,
  }),
  countsEvents: true,
  reader(found) {
    let completed = 0
    return (document) => {
      const { image_tokens } = object(object(document['usage'])['input_tokens_details'])
      found.usage = mediaUsage(document, { image_input_tokens: count(image_tokens) }) ?? found.usage
      if (IMAGE_ENDS.has(document['type'])) {
        completed += 1
        found.isEnded = true
      }
      // With several images in a stream, nothing says whether each event counts its own tokens or
      // those of all.
      if (completed > 1) found.usage = null
      readError(document, found)
    }
  },
}

const IMAGE_ENDS = new Set<Scanned | undefined>(['image_generation.completed', 'image_edit.completed'])

function mediaUsage(document: ScannedObject, details: Partial<Usage>): Usage | null {
  const usage = object(document['usage'])
  return usageOf({
    input_tokens: count(usage['input_tokens']),
    output_tokens: count(usage['output_tokens']),
    ...details,
    ...readCosts(usage),
  })
}
