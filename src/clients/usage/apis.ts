import { ANTHROPIC } from './anthropic.js'
import type { Api } from './findings.js'
import { GEMINI } from './gemini.js'
import { INTERACTIONS } from './gemini-interactions.js'
import { CHAT, GOOGLE_CHAT } from './openai-chat.js'
import { AUDIO, EMBEDDINGS, IMAGES } from './openai-media.js'
import { RESPONSES } from './openai-responses.js'

/**
 * The APIs that are known, by the end of a request's path. The first match counts. Providers and
 * proxies put what they like before that end, such as Azure's `/openai/deployments/NAME`.
 */
const APIS: [RegExp, Api][] = [
  // OpenAI's protocol as Google serves it: in the Gemini API and in Vertex AI.
  [/\/(v1(alpha|beta)\/openai|endpoints\/openapi)\/chat\/completions$/, GOOGLE_CHAT],
  [/\/completions$/, CHAT],
  [/\/responses(\/compact)?$/, RESPONSES],
  [/\/embeddings$/, EMBEDDINGS],
  [/\/audio\/(transcriptions|translations|speech)$/, AUDIO],
  [/\/images\/(generations|edits|variations)$/, IMAGES],
  // Not the messages of OpenAI's threads, which call no model.
  [/^(?!.*\/threads\/).*\/messages$/, ANTHROPIC],
  [/\/publishers\/anthropic\/models\/[^/]+:(rawPredict|streamRawPredict)$/, ANTHROPIC],
  [/:(generateContent|streamGenerateContent|embedContent|batchEmbedContents)$/, GEMINI],
  [/\/interactions$/, INTERACTIONS],
]

/** The API that a request's path belongs to; null if it isn't known. */
export function apiOf(path: string): Api | null {
  const plain = pathOf(path)
  return APIS.find(([pattern]) => pattern.test(plain))?.[1] ?? null
}

/** The path without a query and without slashes at its end. */
export function pathOf(path: string): string {
  const end = path.search(/[?#]/)
  let length = end === -1 ? path.length : end
  while (path[length - 1] === '/') length -= 1
  return path.slice(0, length)
}
