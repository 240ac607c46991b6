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

/** The blocks of code of each part of a page, in their order. What stands before the first heading has none. */
export function blocksByHeading(page: string): { heading: string; blocks: CodeBlock[] }[] {
  const parts = readPage(page).split(/^(?=## )/m)
  return parts.map((part) => {
    // A block of a list's item is indented as its text is.
    const blocks = [...part.matchAll(/^( *)```(\w*)([^\n]*)\n(.*?)^\1```$/gms)].map(
      ([, indent = '', language = '', marks = '', text = '']) => {
        return {
          language,
          marks: marks.trim().split(' '),
          text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
        }
      },
    )
    return { heading: /^## (.*)/.exec(part)?.[1] ?? '', blocks }
  })
}

/** The blocks of code of a page, or of one part of it, in their order. */
export function codeBlocks(page: string, heading?: string): CodeBlock[] {
  const parts = blocksByHeading(page).filter((part) => heading === undefined || part.heading === heading)
  if (parts.length === 0) throw new Error(`${page} has no heading ${heading}`)
  return parts.flatMap(({ blocks }) => blocks)
}
