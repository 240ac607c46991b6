import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { MigrationFile } from '../../../src/store/postgres/schema/migrations.js'
import { readMigrationFiles } from '../sqlite/support.js'

const DIRECTORY = fileURLToPath(new URL('../../../migrations/postgres', import.meta.url))
const FILE = new URL('../../../src/store/postgres/schema/migration-files.ts', import.meta.url)
const REGENERATE = 'UPDATE_MIGRATIONS=1 npx vitest run test/store/postgres/migration-files.test.ts'

const HEADER = `// Generated from migrations/postgres/*.sql; don't edit it. To generate it anew:
// ${REGENERATE}
import type { MigrationFile } from './migrations.js'

/** The files of migrations/postgres/ as part of the program. */
export const MIGRATION_FILES: readonly MigrationFile[] = [
`

function moduleText(files: readonly MigrationFile[]): string {
  const entries = files.map(
    ({ fileName, sql }) => `  {
    fileName: '${fileName}',
    sql: ${literal(sql)},
  },
`,
  )
  return `${HEADER}${entries.join('')}]\n`
}

function literal(text: string): string {
  return `\`${text.replace(/[\\`]|\$\{/g, '\\$&')}\``
}

test('the program has the migrations of migrations/postgres', () => {
  const text = moduleText(readMigrationFiles(DIRECTORY))
  if (process.env['UPDATE_MIGRATIONS'] !== undefined) writeFileSync(FILE, text)
  expect(readFileSync(FILE, 'utf8'), `run ${REGENERATE}`).toBe(text)
})
