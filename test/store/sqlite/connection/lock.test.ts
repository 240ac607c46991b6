import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openDatabase } from '../../../../src/store/sqlite/connection/database.js'
import { acquireDatabaseLock, isLocked } from '../../../../src/store/sqlite/connection/lock.js'
import { builtModule, Child, databaseErrorOf, temporaryPath } from '../support.js'

function newDatabase(): string {
  const path = temporaryPath()
  openDatabase(path).close()
  return path
}

/** A process that holds the lock until it is killed. */
async function holder(path: string): Promise<Child> {
  const child = new Child(`
    import { acquireDatabaseLock } from ${builtModule('lock')}
    acquireDatabaseLock(${JSON.stringify(path)}, 'project')
    console.log('held')
    setInterval(() => {}, 1000)`)
  expect(await child.nextLine()).toBe('held')
  return child
}

describe('the lock of a database', () => {
  test('refuses a second process, names the first, and dies with it', async () => {
    const path = newDatabase()
    const child = await holder(path)
    try {
      const error = databaseErrorOf(() => acquireDatabaseLock(path, 'project'))
      expect(error).toMatchObject({ code: 'PROJECTOR_RUNNING', path })
      expect(error.message).toContain(`pid ${child.process.pid} on host ${hostname()}, started at 20`)
      expect(isLocked(path)).toBe(true)
      // A refused attempt must not have dropped the holder's lock.
      expect(databaseErrorOf(() => acquireDatabaseLock(path, 'replay')).code).toBe('PROJECTOR_RUNNING')
    } finally {
      child.process.kill('SIGKILL')
    }
    await child.exited

    expect(isLocked(path)).toBe(false)
    expect(existsSync(`${path}.pid`)).toBe(true)
    const lock = acquireDatabaseLock(path, 'project')
    expect(JSON.parse(readFileSync(`${path}.pid`, 'utf8')).pid).toBe(process.pid)
    lock.release()
  })

  test('conflicts inside one process, and is free again after release', () => {
    const path = newDatabase()
    const first = acquireDatabaseLock(path, 'replay')
    expect(isLocked(path)).toBe(true)
    const error = databaseErrorOf(() => acquireDatabaseLock(path, 'project'))
    expect(error.message).toContain(`a replay (pid ${process.pid} on host`)

    first.release()
    expect(existsSync(`${path}.pid`)).toBe(false)
    expect(isLocked(path)).toBe(false)

    const second = acquireDatabaseLock(path, 'project')
    first.release()
    expect(existsSync(`${path}.pid`)).toBe(true)
    expect(databaseErrorOf(() => acquireDatabaseLock(path, 'project')).code).toBe('PROJECTOR_RUNNING')
    second.release()
  })

  test('is one lock for all symlinks to a database', () => {
    const path = newDatabase()
    const otherFolder = join(dirname(path), 'other')
    mkdirSync(otherFolder)
    const link = join(otherFolder, 'link.db')
    symlinkSync(path, link)

    const lock = acquireDatabaseLock(link, 'project')

    expect(isLocked(path)).toBe(true)
    expect(databaseErrorOf(() => acquireDatabaseLock(path, 'project')).code).toBe('PROJECTOR_RUNNING')
    expect(existsSync(`${link}.lock`)).toBe(false)
    lock.release()
    expect(isLocked(link)).toBe(false)
  })

  test('does not stand in the way of the database itself', () => {
    const path = newDatabase()
    const lock = acquireDatabaseLock(path, 'project')
    const database = openDatabase(path)
    database.exec("INSERT INTO token_ratios (policy, avg_ratio) VALUES ('cheap', 1)")
    database.close()
    expect(databaseErrorOf(() => acquireDatabaseLock(path, 'project')).code).toBe('PROJECTOR_RUNNING')
    lock.release()
  })

  test.each([
    { name: 'missing', content: undefined },
    { name: 'empty', content: '' },
    { name: 'garbage', content: '{"pid":' },
    { name: 'another shape', content: '[1]' },
  ])('has a clear message when the pid file is $name', ({ content }) => {
    const path = newDatabase()
    const lock = acquireDatabaseLock(path, 'project')
    if (content === undefined) rmSync(`${path}.pid`)
    else writeFileSync(`${path}.pid`, content)

    const error = databaseErrorOf(() => acquireDatabaseLock(path, 'project'))

    expect(error.code).toBe('PROJECTOR_RUNNING')
    expect(error.message).toContain('a projector is already working on this database: stop it')
    lock.release()
  })

  test('holds even when the pid file cannot be written', () => {
    const path = newDatabase()
    mkdirSync(`${path}.pid`)
    const lock = acquireDatabaseLock(path, 'project')
    expect(isLocked(path)).toBe(true)
    lock.release()
    expect(isLocked(path)).toBe(false)
  })

  test('needs a database, and a lock file that is one', () => {
    const missing = temporaryPath()
    expect(databaseErrorOf(() => acquireDatabaseLock(missing, 'project')).code).toBe('DATABASE_MISSING')
    expect(isLocked(missing)).toBe(false)

    const path = newDatabase()
    expect(isLocked(path)).toBe(false)
    expect(existsSync(`${path}.lock`)).toBe(false)
    mkdirSync(`${path}.lock`)
    const error = databaseErrorOf(() => acquireDatabaseLock(path, 'project'))
    expect(error).toMatchObject({ code: 'DATABASE_UNWRITABLE', path: `${path}.lock` })
  })

  test('is not had by a user who cannot write the lock file', () => {
    const path = newDatabase()
    acquireDatabaseLock(path, 'project').release()
    chmodSync(dirname(path), 0o755)
    chmodSync(`${path}.lock`, 0o444)
    const isRoot = process.geteuid?.() === 0
    if (isRoot) process.seteuid?.(65534)
    try {
      // SQLite alone would give both of them an "exclusive" transaction.
      expect(databaseErrorOf(() => acquireDatabaseLock(path, 'project')).code).toBe('DATABASE_UNWRITABLE')
      expect(isLocked(path)).toBe(false)
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  })
})
