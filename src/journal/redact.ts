/**
 * Takes secrets out of a text before it is written.
 *
 * @param text the value of a free-text field.
 * @param field `error_message`, or `labels.<name>` for a label.
 */
export type Redact = (text: string, field: string) => string

// Keys as the providers issue them (sk-…, sk-ant-…, AIza…, gsk_…, xai-…, hf_…, r8_…, ghp_…, AKIA…), then credentials by
// what stands before them: a Bearer or Basic header, key=…, password: ….
const KEY = /\b(?:sk-|pk-|rk-|gsk_|xai-|hf_|r8_|ghp_|gho_|glpat-|AIza|AKIA)[A-Za-z0-9_-]{12,}/g
const HEADER = /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi
const ASSIGNMENT =
  /\b((?:api[_-]?key|x-api-key|access[_-]?token|auth[_-]?token|secret|password|authorization)["']?\s*[:=]\s*["']?)[^\s"',;&}]{6,}/gi

/** The default: masks API keys and credentials in `error_message`, which often quotes what an upstream was sent. */
export function redactSecrets(text: string, field: string): string {
  if (field !== 'error_message') return text
  return text
    .replace(HEADER, '$1 [redacted]')
    .replace(KEY, '[redacted]')
    .replace(ASSIGNMENT, (match, before: string) =>
      match.includes('[redacted]') ? match : `${before}[redacted]`,
    )
}
