import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('memory stays the same while bodies of 50 MB pass, whatever they hold', () => {
  // A process of its own, whose garbage is its own.
  const script = fileURLToPath(new URL('growth.mjs', import.meta.url))
  const printed = execFileSync(process.execPath, ['--expose-gc', script], { encoding: 'utf8' })
  const growth = JSON.parse(printed) as Record<string, number>
  expect(Object.keys(growth)).toHaveLength(13)
  for (const [name, bytes] of Object.entries(growth)) expect(bytes, name).toBeLessThan(150_000)
})
