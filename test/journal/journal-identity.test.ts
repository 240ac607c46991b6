import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { JournalError } from '../../src/journal/errors.js'
import { readIdentity, readOrCreateIdentity } from '../../src/journal/journal-identity.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { temporaryDirectory } from './support.js'

const modes = { file: 0o600, directory: 0o700 }
const NOW = Date.parse('2026-11-22T19:43:00.123Z')
const IDENTITY = '{"format":1,"journal_id":"x","created_at":"2026-11-22T19:43:00.123Z"}\n'

function errorOf(act: () => unknown): JournalError {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(JournalError)
    return error as JournalError
  }
  throw new Error('expected a JournalError, nothing was thrown')
}

function create(directory: string, faulty = new FaultyFileSystem()) {
  return readOrCreateIdentity(directory, modes, NOW, faulty.fs)
}

describe('creating', () => {
  test('makes exactly this journal.json, and nothing else', () => {
    const directory = join(temporaryDirectory(), 'journal')
    const identity = create(directory)
    expect(identity).toStrictEqual({
      format: 1,
      journal_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/),
      created_at: '2026-11-22T19:43:00.123Z',
    })
    expect(readFileSync(join(directory, 'journal.json'), 'utf8')).toBe(`${JSON.stringify(identity)}\n`)
    expect(readdirSync(directory)).toStrictEqual(['journal.json'])
    expect(readIdentity(directory)).toStrictEqual(identity)
    expect(create(directory)).toStrictEqual(identity)
  })

  test('syncs the file before it is linked, and every new name after', () => {
    const root = temporaryDirectory()
    const directory = join(root, 'a', 'b', 'journal')
    const faulty = new FaultyFileSystem()
    create(directory, faulty)
    const calls = faulty.calls.map(({ name, file }) => `${name} ${file}`)
    const linked = calls.findIndex((call) => call.startsWith('linkSync'))
    expect(calls.findIndex((call) => /^fsyncSync \.journal-.*tmp$/.test(call))).toBeLessThan(linked)
    expect(calls.indexOf('fsyncSync journal')).toBeGreaterThan(linked)
    for (const [parent, child] of [
      [basename(root), 'a'],
      ['a', 'b'],
      ['b', 'journal'],
    ]) {
      const made = calls.indexOf(`mkdirSync ${child}`)
      expect(made).toBeGreaterThan(-1)
      expect(calls.indexOf(`fsyncSync ${parent}`)).toBeGreaterThan(made)
    }
    expect(faulty.openFiles).toStrictEqual([])
  })

  test.each([0o000, 0o022, 0o077, 0o777])('modes are exact, whatever the umask: %o', (umask) => {
    const directory = join(temporaryDirectory(), 'parent', 'journal')
    const before = process.umask(umask)
    try {
      readOrCreateIdentity(directory, { file: 0o660, directory: 0o770 }, NOW, new FaultyFileSystem().fs)
    } finally {
      process.umask(before)
    }
    expect(statSync(dirname(directory)).mode & 0o777).toBe(0o770)
    expect(statSync(directory).mode & 0o777).toBe(0o770)
    expect(statSync(join(directory, 'journal.json')).mode & 0o777).toBe(0o660)
  })

  test('leaves an existing directory its mode', () => {
    const directory = temporaryDirectory()
    chmodSync(directory, 0o755)
    create(directory)
    expect(statSync(directory).mode & 0o777).toBe(0o755)
  })

  test('twenty first writers, each faster than the one before at the last moment, agree', () => {
    const directory = join(temporaryDirectory(), 'journal')
    const ids: string[] = []
    const createAfter = (others: number): void => {
      const faulty = new FaultyFileSystem()
      const isFirst = others === 0
      if (!isFirst)
        faulty.add({ call: 'linkSync', file: /./, effect: { before: () => createAfter(others - 1) } })
      ids.push(create(directory, faulty).journal_id)
      expect(faulty.openFiles).toStrictEqual([])
    }
    createAfter(19)
    expect(ids).toHaveLength(20)
    expect(new Set(ids).size).toBe(1)
    expect(readdirSync(directory)).toStrictEqual(['journal.json'])
  })

  test('goes on if another writer makes the directory, or the journal and its first segment, in between', () => {
    const directory = join(temporaryDirectory(), 'a', 'journal')
    const faulty = new FaultyFileSystem()
    const effect = { before: () => void create(directory) }
    faulty.add({ call: 'mkdirSync', file: /^journal$/, effect })
    expect(create(directory, faulty)).toStrictEqual(readIdentity(directory))

    const other = temporaryDirectory()
    const late = new FaultyFileSystem()
    late.add({
      call: 'readdirSync',
      file: /./,
      effect: {
        before: () => {
          create(other)
          writeFileSync(join(other, '2026-11-22.ndjson'), '')
        },
      },
    })
    expect(create(other, late)).toStrictEqual(readIdentity(other))
  })

  test.each([
    ['a short write', { call: 'writeSync', effect: { leaves: 1 } }],
    ['a full disk', { call: 'writeSync', effect: { error: 'ENOSPC' } }],
    ['a failed sync', { call: 'fsyncSync', effect: { error: 'EIO' } }],
    ['no permission to link', { call: 'linkSync', effect: { error: 'EPERM' } }],
  ] as const)('%s leaves no journal and no litter, and it works afterwards', (_, fault) => {
    const directory = join(temporaryDirectory(), 'journal')
    const faulty = new FaultyFileSystem()
    faulty.add({ ...fault, file: /\.tmp$/ })
    expect(errorOf(() => create(directory, faulty)).code).toBe('JOURNAL_UNWRITABLE')
    expect(readdirSync(directory)).toStrictEqual([])
    expect(faulty.openFiles).toStrictEqual([])
    expect(create(directory, faulty).format).toBe(1)
  })

  test.each([
    ['it is below a file', 'file/journal'],
    ['it is below a symbolic link to nowhere', 'dangling/journal'],
    ['it is one', 'dangling'],
  ])('where %s it can’t be', (_, path) => {
    const root = temporaryDirectory()
    writeFileSync(join(root, 'file'), '')
    symlinkSync(join(root, 'nowhere', 'at', 'all'), join(root, 'dangling'))
    const error = errorOf(() => create(join(root, path)))
    expect(error).toMatchObject({ code: 'JOURNAL_UNWRITABLE', path: join(root, path) })
  })

  test('is refused in a directory that can’t be written', () => {
    const directory = temporaryDirectory()
    const faulty = new FaultyFileSystem()
    faulty.add({ call: 'openSync', file: /\.tmp$/, effect: { error: 'EACCES' } })
    expect(errorOf(() => create(directory, faulty))).toMatchObject({ code: 'JOURNAL_UNWRITABLE' })
  })
})

describe('reading', () => {
  test('throws JOURNAL_MISSING if there is no journal, and creates nothing', () => {
    const directory = join(temporaryDirectory(), 'journal')
    expect(errorOf(() => readIdentity(directory)).code).toBe('JOURNAL_MISSING')
    expect(errorOf(() => readIdentity(dirname(directory))).code).toBe('JOURNAL_MISSING')
    expect(readdirSync(dirname(directory))).toStrictEqual([])
  })

  test.each([
    ['empty', ''],
    ['NULs', '\0'.repeat(70)],
    ['cut short', IDENTITY.slice(0, 20)],
    ['null', 'null'],
    ['an array', '[]'],
    ['no id', '{"format":1}'],
    ['an empty id', '{"format":1,"journal_id":""}'],
    ['a format that isn’t a number', '{"format":"1","journal_id":"x"}'],
    ['another format', '{"format":2,"journal_id":"x"}'],
  ])('damaged: %s', (_, text) => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'journal.json'), text)
    for (const act of [() => readIdentity(directory), () => create(directory)]) {
      expect(errorOf(act)).toMatchObject({ code: 'JOURNAL_INVALID', path: join(directory, 'journal.json') })
    }
    expect(readFileSync(join(directory, 'journal.json'), 'utf8')).toBe(text)
  })

  test('a later format asks for an upgrade', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'journal.json'), IDENTITY.replace('1', '2'))
    expect(errorOf(() => readIdentity(directory)).message).toContain('upgrade')
  })

  test.each(['2026-11-22.ndjson', '2026-11-22_001.ndjson.gz'])(
    'gone while %s is there: never made anew',
    (segment) => {
      const directory = temporaryDirectory()
      create(directory)
      writeFileSync(join(directory, segment), '')
      unlinkSync(join(directory, 'journal.json'))
      expect(errorOf(() => readIdentity(directory)).code).toBe('JOURNAL_INVALID')
      expect(errorOf(() => create(directory)).message).toContain('backup')
      expect(readdirSync(directory)).toStrictEqual([segment])
    },
  )

  test('an I/O error, or a folder in its place, is not a missing journal', () => {
    const directory = temporaryDirectory()
    const faulty = new FaultyFileSystem()
    faulty.add({ call: 'openSync', file: /^journal\.json$/, effect: { error: 'EIO' } })
    expect(errorOf(() => create(directory, faulty)).code).toBe('JOURNAL_INVALID')
    mkdirSync(join(directory, 'journal.json'))
    expect(errorOf(() => create(directory)).code).toBe('JOURNAL_INVALID')
  })

  test('a path that is a file isn’t a missing journal either: no journal can be created there', () => {
    const file = join(temporaryDirectory(), 'requests.ndjson')
    writeFileSync(file, '')
    for (const act of [() => readIdentity(file), () => create(file)]) {
      expect(errorOf(act)).toMatchObject({ code: 'JOURNAL_INVALID', path: file })
      expect(errorOf(act).message).toContain("isn't a directory")
    }
  })

  test('members that a later version added are left alone', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'journal.json'), IDENTITY.replace('}', ',"host":"h"}'))
    expect(create(directory)).toStrictEqual(JSON.parse(IDENTITY))
  })
})

test.for([
  ['linkSync', 'EPERM', 'refuses hard links'],
  ['linkSync', 'EOPNOTSUPP', 'refuses hard links'],
  ['fchmodSync', 'EPERM', 'refuses to set permissions'],
  ['mkdirSync', 'EACCES', 'Choose a directory that this user can write'],
  ['mkdirSync', 'EROFS', 'ReadWritePaths='],
  ['fsyncSync', 'ENOSPC', 'Make room on that disk'],
] as const)('%s that fails with %s gets the advice that helps', ([call, error, advice]) => {
  const faulty = new FaultyFileSystem()
  faulty.add({ call, effect: { error }, file: /journal/ })
  const refused = errorOf(() => create(join(temporaryDirectory(), 'journal'), faulty))
  expect(refused).toMatchObject({ code: 'JOURNAL_UNWRITABLE', message: expect.stringContaining(advice) })
})
