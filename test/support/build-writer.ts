import { rmSync } from 'node:fs'
import { buildWriter } from '../../writer/build.mjs'
import build from './build.js'

/** Makes the package that vitest.writer.config.ts tests. */
export default async function setUp(project: {
  config: { env: Record<string, string> }
}): Promise<() => void> {
  const directory = String(project.config.env['REQUEST_JOURNAL_WRITER'])
  const tearDown = build()
  await buildWriter(directory)
  return () => {
    tearDown()
    rmSync(directory, { recursive: true, force: true })
  }
}
