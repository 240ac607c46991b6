import { isAbsolute, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { redactSecrets } from '../../../src/events/redact.js'
import { openJournal } from '../../../src/journal/append/journal.js'
import { type JournalOptions, resolveOptions } from '../../../src/journal/append/options.js'

const logger = { warn() {}, error() {} }

test('options that are left out have their defaults', () => {
  expect(resolveOptions({ logger })).toStrictEqual({
    directory: join(process.cwd(), 'journal'),
    logger,
    fsync: 'everysec',
    bufferBytes: 16 * 1024 * 1024,
    fileMode: 0o600,
    directoryMode: 0o700,
    isModeGiven: false,
    redact: redactSecrets,
  })
})

test('undefined is the same as left out', () => {
  const absent = { directory: undefined, logger: undefined, fsync: undefined, bufferBytes: undefined }
  expect(resolveOptions({ ...absent, mode: undefined, redact: undefined })).toStrictEqual(resolveOptions({}))
})

test('the directory doesn’t move with the process', () => {
  expect(isAbsolute(resolveOptions({ directory: 'x/y' }).directory)).toBe(true)
})

test.each([
  [0o600, 0o600, 0o700],
  [0o660, 0o660, 0o770],
  [0o640, 0o640, 0o750],
  [0o644, 0o644, 0o755],
  [0o666, 0o666, 0o777],
  [0o770, 0o660, 0o770],
  [0o620, 0o620, 0o720],
])('mode %o: files %o, directories %o', (mode, fileMode, directoryMode) => {
  expect(resolveOptions({ mode })).toMatchObject({ fileMode, directoryMode })
})

describe('anything else is a TypeError that names the option', () => {
  test.each<[string, object]>([
    ['fsyn', { fsyn: 'no' }],
    ['directory', { directory: '' }],
    ['directory', { directory: 5 }],
    ['logger', { logger: {} }],
    ['logger', { logger: null }],
    ['logger', { logger: { warn() {} } }],
    ['fsync', { fsync: 'always' }],
    ['fsync', { fsync: true }],
    ['bufferBytes', { bufferBytes: -1 }],
    ['bufferBytes', { bufferBytes: 1.5 }],
    ['bufferBytes', { bufferBytes: '16' }],
    ['bufferBytes', { bufferBytes: Number.NaN }],
    ['mode', { mode: 0o400 }],
    ['mode', { mode: 0o1600 }],
    ['mode', { mode: -1 }],
    ['mode', { mode: '600' }],
    ['redact', { redact: true }],
    ['redact', { redact: null }],
    ['redact', { redact: [/internal-\d+/] }],
    ['redact', { redact: [/internal-\d+/gy] }],
    ['redact', { redact: [/\d*/g] }],
    ['redact', { redact: ['internal'] }],
    ['redact', { redact: /internal/g }],
  ])('%s: %j', (option, options) => {
    expect(() => openJournal(options as JournalOptions)).toThrow(TypeError)
    expect(() => openJournal(options as JournalOptions)).toThrow(`'${option}'`)
  })
})
