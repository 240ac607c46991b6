import type { Api } from './findings.js'
import { CHAT } from './openai-chat.js'

/** The APIs that are known, by the end of a request's path. */
const APIS: [RegExp, Api][] = [[/\/completions$/, CHAT]]

/** @returns null for a path of no API that is known */
export function apiOf(path: string): Api | null {
  const plain = pathOf(path)
  return APIS.find(([pattern]) => pattern.test(plain))?.[1] ?? null
}

/** The path without a query and without slashes at its end. */
export function pathOf(path: string): string {
  return path.replace(/[?#].*$/s, '').replace(/\/+$/, '')
}
