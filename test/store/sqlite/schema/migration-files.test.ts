import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { MIGRATION_FILES } from '../../../../src/store/sqlite/schema/migration-files.js'
import type { MigrationFile } from '../../../../src/store/sqlite/schema/migrations.js'
import { readMigrationFiles } from '../support.js'

const DIRECTORY = fileURLToPath(new URL('../../../../migrations', import.meta.url))
const FILE = new URL('../../../../src/store/sqlite/schema/migration-files.ts', import.meta.url)
const REGENERATE = 'UPDATE_MIGRATIONS=1 npx vitest run test/store/sqlite/schema/migration-files.test.ts'

const HEADER = `// Generated from migrations/*.sql, don't edit it: ${REGENERATE}
import type { MigrationFile } from './migrations.js'

/**
 * The files of migrations/ as part of the program, so that they go wherever a bundler takes it. A new migration is a
 * new file there and the command above; the same command settles a merge conflict in this file.
 */
export const MIGRATION_FILES: readonly MigrationFile[] = [
`

function moduleText(files: readonly MigrationFile[]): string {
  const entries = files.map(
    ({ fileName, sql }) => `  {
    fileName: '${fileName}',
    sql: \`${sql.replace(/[\\`]|\$\{/g, '\\$&').replaceAll('\r', '\\r')}\`,
  },
`,
  )
  return `${HEADER}${entries.join('')}]
`
}

test('migration-files.ts has the files of migrations/, byte for byte', () => {
  const files = readMigrationFiles(DIRECTORY)
  const text = moduleText(files)
  if (process.env['UPDATE_MIGRATIONS'] === '1') writeFileSync(FILE, text)
  const advice = `migrations/ has changed; regenerate it with: ${REGENERATE}`
  expect(readFileSync(FILE, 'utf8'), advice).toBe(text)
  // In the run that writes it, the module is still what it was before.
  if (process.env['UPDATE_MIGRATIONS'] !== '1') expect(MIGRATION_FILES).toEqual(files)
})
