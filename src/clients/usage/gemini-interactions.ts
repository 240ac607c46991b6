import { type Api, type Findings, usageOf } from './findings.js'
import { tokensOf } from './gemini.js'
import type { Usage } from './observation.js'
import { ERROR, errorOf, readError } from './provider-errors.js'
import { count, isObject, objects, sum, text } from './values.js'
import { type ScannedObject, type Wanted, wantedNode } from './wanted-members.js'

const MODALITIES = [{ modality: true, tokens: true }] satisfies Wanted

const INTERACTION = {
  id: true,
  model: true,
  service_tier: true,
  status: true,
  errors: [ERROR],
  usage: {
    total_input_tokens: true,
    total_output_tokens: true,
    total_thought_tokens: true,
    total_tool_use_tokens: true,
    total_cached_tokens: true,
    total_tokens: true,
    input_tokens_by_modality: MODALITIES,
    tool_use_tokens_by_modality: MODALITIES,
    output_tokens_by_modality: MODALITIES,
  },
} satisfies Wanted

/**
 * Google's Interactions API (js-genai, Interaction and InteractionSSEEvent). A stream ends with
 * `interaction.completed`, whatever became of the interaction.
 */
export const INTERACTIONS: Api = {
  wanted: wantedNode({ ...INTERACTION, event_type: true, interaction: INTERACTION, error: ERROR }),
  reader: (found) => (document) => {
    readInteraction(isObject(document['interaction']) ? document['interaction'] : document, found)
    if (document['event_type'] === 'interaction.completed') found.isEnded = true
    readError(document, found)
  },
}

function readInteraction(interaction: ScannedObject, found: Findings): void {
  const { status, usage } = interaction
  found.response_id ??= text(interaction['id'])
  found.response_model = text(interaction['model']) ?? found.response_model
  found.service_tier = text(interaction['service_tier']) ?? found.service_tier
  if (isObject(usage)) found.usage = interactionUsage(usage) ?? found.usage
  if (status === 'failed' || status === 'cancelled') {
    const [error] = objects(interaction['errors'])
    found.error ??= errorOf(error) ?? { status: null, message: `the interaction's status is ${status}` }
  }
}

/**
 * As with generateContent, the output tokens leave out the thoughts, and the input tokens leave out
 * the results of tools.
 */
function interactionUsage(usage: ScannedObject): Usage | null {
  const thoughts = count(usage['total_thought_tokens'])
  const input = sum(count(usage['total_input_tokens']), count(usage['total_tool_use_tokens']))
  const output = sum(count(usage['total_output_tokens']), thoughts)
  const total = count(usage['total_tokens'])
  // If the parts don't add up to the total, nobody knows what they include.
  if (input !== null && output !== null && total !== null && input + output !== total) return null
  const inputs = [usage['input_tokens_by_modality'], usage['tool_use_tokens_by_modality']].flatMap(objects)
  return usageOf({
    input_tokens: input,
    output_tokens: output,
    cache_read_input_tokens: count(usage['total_cached_tokens']),
    audio_input_tokens: tokensOf('AUDIO', inputs),
    image_input_tokens: tokensOf('IMAGE', inputs),
    reasoning_output_tokens: thoughts,
    audio_output_tokens: tokensOf('AUDIO', objects(usage['output_tokens_by_modality'])),
  })
}
