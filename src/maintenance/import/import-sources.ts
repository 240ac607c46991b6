/**
 * The kinds of files that can be imported. Apart from their readers, since `--help` lists them too.
 */
export const IMPORT_SOURCES = ['litellm', 'langfuse', 'openrouter', 'csv', 'sqlite'] as const

export type ImportSource = (typeof IMPORT_SOURCES)[number]
