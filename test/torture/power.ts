import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join } from 'node:path'
import SQLite from 'better-sqlite3'
import type { FileSystem } from '../../src/journal/file-system.js'
import { nodeFileSystem } from '../../src/journal/file-system.js'
import type { Random } from './random.js'

/** What was done to the disk, in order: by writers through their port, by the projector, and by SQLite's commits. */
type Step =
  | { kind: 'create'; path: string; inode: number; isDirectory: boolean }
  | { kind: 'link'; path: string; inode: number }
  | { kind: 'unlink'; path: string }
  | { kind: 'write'; inode: number; bytes: Buffer }
  /** A sync that has returned; of a file what had been written when it began. */
  | { kind: 'sync'; inode: number; length: number }
  | { kind: 'commit'; database: Buffer }
  /** A promise to the caller: these events survive a power cut from here on. */
  | { kind: 'flushed'; ids: string[] }

export class Recording {
  readonly steps: Step[] = []
  readonly root: string
  readonly #written = new Map<number, number>()
  #undo: (() => void)[] = []

  constructor(root: string) {
    this.root = root
    this.steps.push({ kind: 'create', path: root, inode: fs.statSync(root).ino, isDirectory: true })
    this.#watchSyncs()
    this.#watchCommits()
  }

  /** For a writer. */
  get fileSystem(): FileSystem {
    return {
      ...nodeFileSystem,
      openSync: ((path: string, flags: fs.OpenMode, mode?: fs.Mode) => {
        const isNew = !fs.existsSync(path)
        const fd = fs.openSync(path, flags, mode)
        const inode = fs.fstatSync(fd).ino
        if (isNew) this.steps.push({ kind: 'create', path, inode, isDirectory: false })
        return fd
      }) as typeof fs.openSync,
      writeSync: ((fd: number, data: Buffer | string) => {
        const bytes = Buffer.from(data)
        const inode = fs.fstatSync(fd).ino
        this.steps.push({ kind: 'write', inode, bytes })
        this.#written.set(inode, (this.#written.get(inode) ?? 0) + bytes.length)
        return fs.writeSync(fd, bytes, 0, bytes.length)
      }) as typeof fs.writeSync,
      mkdirSync: ((path: string, options: fs.MakeDirectoryOptions) => {
        fs.mkdirSync(path, options)
        this.steps.push({ kind: 'create', path, inode: fs.statSync(path).ino, isDirectory: true })
      }) as typeof fs.mkdirSync,
      linkSync: ((from: string, to: string) => {
        fs.linkSync(from, to)
        this.steps.push({ kind: 'link', path: to, inode: fs.statSync(to).ino })
      }) as typeof fs.linkSync,
      unlinkSync: ((path: string) => {
        fs.unlinkSync(path)
        this.steps.push({ kind: 'unlink', path })
      }) as typeof fs.unlinkSync,
      // Looked up when called: they are watched by then.
      fsyncSync: (fd) => fs.fsyncSync(fd),
      fsync: ((fd: number, done: (error: Error | null) => void) => fs.fsync(fd, done)) as typeof fs.fsync,
      fdatasync: ((fd: number, done: (error: Error | null) => void) =>
        fs.fdatasync(fd, done)) as typeof fs.fdatasync,
    }
  }

  stop(): void {
    for (const undo of this.#undo) undo()
    this.#undo = []
  }

  /** The projector calls node:fs itself. Nothing is synced in truth: the model says what survives. */
  #watchSyncs(): void {
    const { fdatasync, fsync, fsyncSync } = fs
    const note = (fd: number) => {
      const inode = fs.fstatSync(fd).ino
      const length = this.#written.get(inode) ?? 0
      return () => void this.steps.push({ kind: 'sync', inode, length })
    }
    const later = ((fd: number, done: (error: Error | null) => void) => {
      const synced = note(fd)
      setImmediate(() => {
        synced()
        done(null)
      })
    }) as unknown as typeof fs.fdatasync
    fs.fdatasync = later
    fs.fsync = later as unknown as typeof fs.fsync
    fs.fsyncSync = (fd) => note(fd)()
    syncBuiltinESMExports()
    this.#undo.push(() => {
      Object.assign(fs, { fdatasync, fsync, fsyncSync })
      syncBuiltinESMExports()
    })
  }

  #watchCommits(): void {
    const { steps } = this
    const { exec } = SQLite.prototype
    SQLite.prototype.exec = function (this: SQLite.Database, sql: string) {
      const result = exec.call(this, sql)
      if (sql === 'COMMIT') steps.push({ kind: 'commit', database: this.serialize() })
      return result
    }
    this.#undo.push(() => {
      SQLite.prototype.exec = exec
    })
  }
}

/** Of what was not synced, how much is on the disk after all. */
export type Survival = 'synced only' | 'everything' | 'any prefix' | 'any prefix, then zeros'

interface Node {
  isDirectory: boolean
  bytes: Buffer[]
  syncedBytes: number
  names: { name: string; inode: number | null }[]
  syncedNames: number
}

/** The disk after a power cut behind the first `count` steps. */
export class Disk {
  /** Promised to survive. */
  readonly flushed: string[] = []
  /** Every state of the database that has been committed: with synchronous NORMAL any of them may be what is left. */
  readonly databases: Buffer[] = []
  readonly #nodes = new Map<number, Node>()
  readonly #inodes = new Map<string, number>()
  readonly #root: string

  constructor(recording: Recording, count: number) {
    this.#root = recording.root
    for (const step of recording.steps.slice(0, count)) this.#apply(step)
  }

  /** Writes what survives into an empty directory that stands for the root. */
  restore(target: string, survival: Survival, random: Random): void {
    const root = this.#inodes.get(this.#root)
    if (root !== undefined) this.#restore(root, target, { survival, random })
  }

  #restore(inode: number, target: string, how: { survival: Survival; random: Random }): void {
    const node = this.#nodes.get(inode)
    if (node === undefined) return
    if (!node.isDirectory) {
      fs.writeFileSync(target, survivingBytes(node, how))
      return
    }
    fs.mkdirSync(target, { recursive: true })
    const entries = new Map<string, number>()
    const kept = surviving(node.syncedNames, node.names.length, how)
    for (const { name, inode: child } of node.names.slice(0, kept)) {
      if (child === null) entries.delete(name)
      else entries.set(name, child)
    }
    for (const [name, child] of entries) this.#restore(child, join(target, name), how)
  }

  #apply(step: Step): void {
    switch (step.kind) {
      case 'create':
        this.#nodes.set(step.inode, {
          isDirectory: step.isDirectory,
          bytes: [],
          syncedBytes: 0,
          names: [],
          syncedNames: 0,
        })
        this.#name(step.path, step.inode)
        break
      case 'link':
        this.#name(step.path, step.inode)
        break
      case 'unlink':
        this.#name(step.path, null)
        break
      case 'write':
        this.#nodes.get(step.inode)?.bytes.push(step.bytes)
        break
      case 'sync':
        this.#sync(step.inode, step.length)
        break
      case 'commit':
        this.databases.push(step.database)
        break
      case 'flushed':
        this.flushed.push(...step.ids)
        break
      default:
        step satisfies never
    }
  }

  #name(path: string, inode: number | null): void {
    if (inode === null) this.#inodes.delete(path)
    else this.#inodes.set(path, inode)
    const parent = this.#inodes.get(dirname(path))
    if (parent === undefined) return
    this.#nodes.get(parent)?.names.push({ name: path.slice(dirname(path).length + 1), inode })
  }

  #sync(inode: number, length: number): void {
    const node = this.#nodes.get(inode)
    if (node === undefined) return
    node.syncedBytes = Math.max(node.syncedBytes, length)
    node.syncedNames = node.names.length
  }
}

function surviving(
  synced: number,
  all: number,
  { survival, random }: { survival: Survival; random: Random },
): number {
  if (survival === 'synced only') return synced
  if (survival === 'everything') return all
  return random.between(synced, all)
}

function survivingBytes(node: Node, how: { survival: Survival; random: Random }): Buffer {
  const bytes = Buffer.concat(node.bytes)
  const kept = surviving(node.syncedBytes, bytes.length, how)
  if (how.survival !== 'any prefix, then zeros') return bytes.subarray(0, kept)
  // The size was written, the bytes were not.
  return Buffer.concat([bytes.subarray(0, kept), Buffer.alloc(how.random.between(0, bytes.length - kept))])
}
