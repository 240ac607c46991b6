import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isBuilt } from './built.mjs'
import { stopSharedPostgres } from './postgres.js'

/**
 * Tests of real processes run what users run: dist is built before all of them, unless it is what a build of these
 * sources has made. What tests of a run share lies in a folder that the end of the run removes.
 */
export default function build(): () => void {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  if (!isBuilt()) execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' })
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-run-'))
  process.env['REQUEST_JOURNAL_TEST_RUN'] = directory
  return () => {
    stopSharedPostgres(directory)
    rmSync(directory, { recursive: true, force: true })
  }
}
