/** What can have written a file that is imported. Apart from the readers: `--help` names them too. */
export const IMPORT_SOURCES = ['litellm', 'langfuse', 'openrouter', 'csv', 'sqlite'] as const

export type ImportSource = (typeof IMPORT_SOURCES)[number]
