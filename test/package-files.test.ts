import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { packageFile, VERSION } from '../src/package/package-files.js'

const PACKAGE = fileURLToPath(new URL('../package.json', import.meta.url))

test('the version in the code is that of package.json', () => {
  expect(VERSION).toBe(JSON.parse(readFileSync(PACKAGE, 'utf8')).version)
})

test('files of the package are found by its name; those that are missing are null', () => {
  expect(packageFile('package.json')).toBe(PACKAGE)
  expect(packageFile('dist/no-such-file.js')).toBeNull()
})
