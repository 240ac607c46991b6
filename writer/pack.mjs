// npm run pack:writer
// Packs request-journal-writer into the working directory, and prints the tarball's name and size.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildWriter } from './build.mjs'

const directory = mkdtempSync(join(tmpdir(), 'request-journal-writer-'))
try {
  await buildWriter(directory)
  const packed = execFileSync('npm', ['pack', directory, '--silent'], { encoding: 'utf8' }).trim()
  process.stdout.write(`${packed}: ${(statSync(packed).size / 1000).toFixed(0)} kB\n`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
