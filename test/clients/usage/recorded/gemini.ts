import { type Recorded, sse } from '../support.js'

// Answers in the shapes of js-genai (GenerateContentResponse) and google.rpc.Status.

const PATH = '/v1beta/models/gemini-2.5-flash:generateContent'
const STREAM = '/v1beta/models/gemini-2.5-flash:streamGenerateContent'
const NAMES = { response_model: 'gemini-2.5-flash', response_id: 'abc' }

function response(usageMetadata: object, candidates: object[] = [candidate('STOP')]): object {
  return { candidates, usageMetadata, modelVersion: 'gemini-2.5-flash', responseId: 'abc' }
}
function candidate(finishReason?: string): object {
  const content = { parts: [{ text: 'Grüße [{"usageMetadata":{"promptTokenCount":1}}]' }], role: 'model' }
  return { content, ...(finishReason === undefined ? {} : { finishReason }), index: 0 }
}

const METADATA = {
  promptTokenCount: 300,
  candidatesTokenCount: 20,
  totalTokenCount: 425,
  cachedContentTokenCount: 40,
  promptTokensDetails: [
    { modality: 'TEXT', tokenCount: 10 },
    { modality: 'AUDIO', tokenCount: 32 },
    { modality: 'IMAGE', tokenCount: 258 },
  ],
  cacheTokensDetails: [{ modality: 'TEXT', tokenCount: 40 }],
  toolUsePromptTokenCount: 5,
  toolUsePromptTokensDetails: [{ modality: 'TEXT', tokenCount: 5 }],
  thoughtsTokenCount: 100,
}
const TOKENS = {
  input_tokens: 305,
  output_tokens: 120,
  cache_read_input_tokens: 40,
  audio_input_tokens: 32,
  image_input_tokens: 258,
  reasoning_output_tokens: 100,
}
const CHUNKS = [
  response({ promptTokenCount: 300, totalTokenCount: 300 }, [candidate()]),
  response({ ...METADATA, candidatesTokenCount: 10 }, [candidate()]),
  response(METADATA),
]
const INTERACTION = {
  id: 'v1_abc',
  object: 'interaction',
  model: 'gemini-3-flash',
  status: 'completed',
  service_tier: 'flex',
  steps: [{ type: 'model_output', content: [{ type: 'text', text: '{"usage":{"total_input_tokens":1}}' }] }],
  usage: {
    total_input_tokens: 70,
    input_tokens_by_modality: [
      { modality: 'text', tokens: 7 },
      { modality: 'image', tokens: 63 },
    ],
    total_cached_tokens: 5,
    total_output_tokens: 20,
    total_tool_use_tokens: 3,
    total_thought_tokens: 22,
    total_tokens: 115,
  },
}
const INTERACTION_NAMES = { response_model: 'gemini-3-flash', service_tier: 'flex', response_id: 'v1_abc' }
const INTERACTION_TOKENS = {
  input_tokens: 73,
  output_tokens: 42,
  cache_read_input_tokens: 5,
  image_input_tokens: 63,
  reasoning_output_tokens: 22,
}
const INTERACTION_BEGINS = [
  {
    event_type: 'interaction.created',
    interaction: { ...INTERACTION, status: 'in_progress', steps: [], usage: undefined },
  },
  { event_type: 'step.delta', index: 0, delta: { type: 'text', text: 'Grüße' } },
]

const ERROR = {
  error: { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' },
}

export const GEMINI: Recorded[] = [
  {
    name: 'generateContent',
    path: PATH,
    body: JSON.stringify(response(METADATA), null, 2),
    tells: { ...NAMES, usage: TOKENS },
  },
  {
    name: 'streamGenerateContent as events',
    path: `${STREAM}?alt=sse`,
    body: sse(...CHUNKS).replaceAll('\n', '\r\n'),
    tells: { ...NAMES, usage: TOKENS },
  },
  {
    name: 'streamGenerateContent as an array',
    path: STREAM,
    isStreamAsked: true,
    body: `[${CHUNKS.map((chunk) => JSON.stringify(chunk, null, 2)).join('\n,\r\n')}\n]`,
    tells: { ...NAMES, usage: TOKENS },
  },
  {
    name: 'streamGenerateContent as events that break off',
    path: `${STREAM}?alt=sse`,
    body: sse(...CHUNKS.slice(0, 1)),
    tells: { ...NAMES, usage: { input_tokens: 300, output_tokens: 0 }, outcome: { kind: 'incomplete' } },
  },
  {
    name: 'streamGenerateContent as an array that breaks off',
    path: STREAM,
    isStreamAsked: true,
    body: `[${JSON.stringify(CHUNKS[1])},\n{"candidates": [{"content`,
    tells: {
      ...NAMES,
      usage: { ...TOKENS, output_tokens: 110 },
      outcome: { kind: 'incomplete' },
    },
  },
  {
    name: 'streamGenerateContent as an array with an error in it',
    path: STREAM,
    isStreamAsked: true,
    body: `[${JSON.stringify(CHUNKS[1])},\n${JSON.stringify(ERROR)}]`,
    tells: {
      ...NAMES,
      usage: { ...TOKENS, output_tokens: 110 },
      outcome: { kind: 'error', status: 503, message: 'UNAVAILABLE: The model is overloaded.' },
    },
  },
  {
    name: "a prompt that is blocked, of which nothing came out, by Vertex AI's flex tier",
    path: '/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:generateContent',
    body: JSON.stringify({
      promptFeedback: { blockReason: 'PROHIBITED_CONTENT' },
      usageMetadata: { promptTokenCount: 7, totalTokenCount: 7, trafficType: 'ON_DEMAND_FLEX' },
      modelVersion: 'gemini-2.5-flash',
    }),
    tells: {
      response_model: 'gemini-2.5-flash',
      service_tier: 'flex',
      usage: { input_tokens: 7, output_tokens: 0 },
    },
  },
  {
    name: 'a streamed prompt that is blocked',
    path: `${STREAM}?alt=sse`,
    body: sse({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 7 } }),
    tells: { usage: { input_tokens: 7 } },
  },
  {
    name: 'speech, by the priority tier of the Gemini API',
    path: '/v1beta/models/gemini-2.5-flash-preview-tts:generateContent',
    body: JSON.stringify(
      response({
        promptTokenCount: 4,
        candidatesTokenCount: 30,
        totalTokenCount: 34,
        candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: 30 }],
        serviceTier: 'priority',
      }),
    ),
    tells: {
      ...NAMES,
      service_tier: 'priority',
      usage: { input_tokens: 4, output_tokens: 30, audio_output_tokens: 30 },
    },
  },
  {
    name: 'embedContent, which tells no tokens',
    path: '/v1beta/models/gemini-embedding-001:embedContent',
    body: JSON.stringify({ embedding: { values: [0.1, -0.2, 1e-7] } }),
    tells: {},
  },
  {
    name: 'an interaction',
    path: '/v1beta/interactions',
    body: JSON.stringify(INTERACTION),
    tells: { ...INTERACTION_NAMES, usage: INTERACTION_TOKENS },
  },
  {
    name: 'an interaction whose parts do not make up its total',
    path: '/v1beta/interactions',
    body: JSON.stringify({ ...INTERACTION, usage: { ...INTERACTION.usage, total_tokens: 93 } }),
    tells: INTERACTION_NAMES,
  },
  {
    name: 'an interaction that failed',
    path: '/v1beta/interactions',
    body: JSON.stringify({
      ...INTERACTION,
      status: 'failed',
      errors: [{ code: 'INTERNAL', message: 'It failed' }],
    }),
    tells: {
      ...INTERACTION_NAMES,
      usage: INTERACTION_TOKENS,
      outcome: { kind: 'error', status: null, message: 'INTERNAL: It failed' },
    },
  },
  {
    name: 'a streamed interaction',
    path: '/v1beta/interactions?alt=sse',
    body: sse(
      ...INTERACTION_BEGINS,
      { event_type: 'interaction.completed', interaction: INTERACTION },
      '[DONE]',
    ),
    tells: { ...INTERACTION_NAMES, usage: INTERACTION_TOKENS },
  },
  {
    name: 'a streamed interaction that breaks off',
    path: '/v1beta/interactions',
    body: sse(...INTERACTION_BEGINS),
    tells: { ...INTERACTION_NAMES, outcome: { kind: 'incomplete' } },
  },
  {
    name: 'a streamed interaction with an error',
    path: '/v1beta/interactions',
    body: sse(...INTERACTION_BEGINS, {
      event_type: 'error',
      error: { code: 'UNAVAILABLE', message: 'Overloaded' },
    }),
    tells: {
      ...INTERACTION_NAMES,
      outcome: { kind: 'error', status: null, message: 'UNAVAILABLE: Overloaded' },
    },
  },
  {
    name: 'an error',
    path: PATH,
    status: 503,
    body: JSON.stringify(ERROR, null, 2),
    tells: { outcome: { kind: 'error', status: 503, message: 'UNAVAILABLE: The model is overloaded.' } },
  },
]
