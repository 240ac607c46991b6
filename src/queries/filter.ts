import type { Window } from './window.js'

/** Which requests a question is about: all conditions that are given, joined with AND. */
export interface RequestFilter extends Window {
  /** The whole name in any ASCII case. */
  model?: string | undefined
  /** The whole name in any ASCII case; requests without a provider never match. */
  provider?: string | undefined
  /** Exactly. */
  policy?: string | undefined
  /** Labels by name, each exactly. */
  labels?: Readonly<Record<string, string>> | undefined
  /** Exactly. */
  correlationId?: string | undefined
  success?: boolean | undefined
  streaming?: boolean | undefined
}
