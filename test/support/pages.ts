import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Every page for readers, by its path from the root: `README.md`, `docs/tutorial.md`. */
export const PAGES = ['.', 'docs', 'journal'].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
)

export const readPage = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

/** A block of code, with what stands beside its fence: `sh`, and its marks, such as `server`. */
export interface CodeBlock {
  language: string
  marks: string[]
  text: string
}

/** The blocks of code of a page, or of one part of it, in their order. */
export function codeBlocks(page: string, heading?: string): CodeBlock[] {
  const parts = readPage(page).split(/^(?=## )/m)
  const part =
    heading === undefined ? parts.join('') : parts.find((text) => text.startsWith(`## ${heading}\n`))
  if (part === undefined) throw new Error(`${page} has no heading ${heading}`)
  // A block of a list's item is indented as its text is.
  return [...part.matchAll(/^( *)```(\w*)([^\n]*)\n(.*?)^\1```$/gms)].map(
    ([, indent = '', language = '', marks = '', text = '']) => {
      return {
        language,
        marks: marks.trim().split(' '),
        text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      }
    },
  )
}
