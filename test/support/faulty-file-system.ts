import fs from 'node:fs'
import { basename } from 'node:path'
import type { FileSystem } from '../../src/journal/file-system.js'

type CallName = keyof FileSystem

/** What happens to a call instead of, or before, the real thing. */
export type Effect =
  /** Fails with this code, having done nothing. */
  | { error: string }
  /** Of a write: takes only the first `takes` bytes, and says so. */
  | { takes: number }
  /** Of a write: takes all but the last `leaves` bytes. */
  | { leaves: number }
  /** Of a sync: is done, but answers only when this resolves. */
  | { until: Promise<void> }
  /** Does this first, then the real thing. */
  | { before: () => void }

export interface Fault {
  call: CallName
  effect: Effect
  /** Which files: compared with the base name. @default segments */
  file?: RegExp
  /** Calls that pass before the first one is hit. @default 0 */
  skip?: number
  /** Calls that are hit. @default 1 */
  times?: number
}

export interface Call {
  name: CallName
  /** Base name of the path, or of what the descriptor was opened as. */
  file: string
  /** Bytes written, of a write. */
  bytes?: number
}

const SEGMENT = /\.ndjson$/

/** `node:fs` with faults put in. It remembers every call that changes or syncs something, in order. */
export class FaultyFileSystem {
  readonly calls: Call[] = []
  readonly fs: FileSystem
  readonly #files = new Map<number, string>()
  #faults: Required<Fault>[] = []

  constructor() {
    this.fs = {
      openSync: ((path: string, flags: fs.OpenMode, mode?: fs.Mode) => {
        this.#enter('openSync', path)
        const fd = fs.openSync(path, flags, mode)
        this.#files.set(fd, basename(path))
        return fd
      }) as typeof fs.openSync,
      closeSync: (fd) => {
        this.#enter('closeSync', this.#fileOf(fd))
        fs.closeSync(fd)
        this.#files.delete(fd)
      },
      writeSync: ((fd: number, data: Buffer | string) => this.#write(fd, Buffer.from(data))) as never,
      fdatasync: ((fd: number, done: (error: Error | null) => void) =>
        this.#sync('fdatasync', fd, done)) as typeof fs.fdatasync,
      fsync: ((fd: number, done: (error: Error | null) => void) =>
        this.#sync('fsync', fd, done)) as typeof fs.fsync,
      fsyncSync: (fd) => {
        this.#enter('fsyncSync', this.#fileOf(fd))
        fs.fsyncSync(fd)
      },
      fchmodSync: (fd, mode) => {
        this.#enter('fchmodSync', this.#fileOf(fd))
        fs.fchmodSync(fd, mode)
      },
      fstatSync: ((fd: number, options?: fs.StatOptions) => {
        this.#enter('fstatSync', this.#fileOf(fd))
        return fs.fstatSync(fd, options)
      }) as typeof fs.fstatSync,
      readSync: ((fd: number, ...rest: [Buffer, number, number, number]) => {
        this.#enter('readSync', this.#fileOf(fd))
        return fs.readSync(fd, ...rest)
      }) as typeof fs.readSync,
      statSync: this.#onPath('statSync'),
      lstatSync: this.#onPath('lstatSync'),
      chmodSync: this.#onPath('chmodSync'),
      fchownSync: (fd, uid, gid) => {
        this.#enter('fchownSync', this.#fileOf(fd))
        fs.fchownSync(fd, uid, gid)
      },
      chownSync: this.#onPath('chownSync'),
      mkdirSync: this.#onPath('mkdirSync'),
      readdirSync: this.#onPath('readdirSync'),
      linkSync: this.#onPath('linkSync'),
      unlinkSync: this.#onPath('unlinkSync'),
    }
  }

  /** Puts a fault in. Faults are tried in the order they were put in; one that is used up is gone. */
  add({ file = SEGMENT, skip = 0, times = 1, ...fault }: Fault): void {
    this.#faults.push({ file, skip, times, ...fault })
  }

  /** From here on nothing fails. */
  heal(): void {
    this.#faults = []
  }

  /** Calls by this name, to files of this kind. */
  callsOf(name: CallName, file: RegExp = SEGMENT): Call[] {
    return this.calls.filter((call) => call.name === name && file.test(call.file))
  }

  /** Descriptors that are open: a leak shows here. */
  get openFiles(): string[] {
    return [...this.#files.values()]
  }

  #onPath<Name extends CallName>(name: Name): FileSystem[Name] {
    const real = fs[name] as (...args: unknown[]) => unknown
    return ((path: string, ...rest: unknown[]) => {
      this.#enter(name, path)
      return real(path, ...rest)
    }) as unknown as FileSystem[Name]
  }

  #write(fd: number, data: Buffer): number {
    const file = this.#fileOf(fd)
    const effect = this.#enter('writeSync', file)
    let end = data.length
    if (effect !== null && 'takes' in effect) end = Math.min(end, effect.takes)
    if (effect !== null && 'leaves' in effect) end = Math.max(0, end - effect.leaves)
    const bytes = end === 0 ? 0 : fs.writeSync(fd, data, 0, end)
    this.calls.push({ name: 'writeSync', file, bytes })
    return bytes
  }

  #sync(name: 'fsync' | 'fdatasync', fd: number, done: (error: Error | null) => void): void {
    let effect: Effect | null
    try {
      effect = this.#enter(name, this.#fileOf(fd))
    } catch (error) {
      setImmediate(() => done(error as Error))
      return
    }
    fs[name](fd, (error) => {
      if (effect !== null && 'until' in effect) effect.until.then(() => done(error), done)
      else done(error)
    })
  }

  /** Remembers the call, and throws or does what its fault says. */
  #enter(name: CallName, path: string): Effect | null {
    const file = basename(path)
    if (name !== 'writeSync') this.calls.push({ name, file })
    const fault = this.#faults.find((fault) => {
      if (fault.call !== name || !fault.file.test(file)) return false
      if (fault.skip-- > 0) return false
      return true
    })
    if (fault === undefined) return null
    if (--fault.times <= 0) this.#faults = this.#faults.filter((other) => other !== fault)
    const { effect } = fault
    if ('error' in effect) throw failure(effect.error, name)
    if ('before' in effect) effect.before()
    return effect
  }

  #fileOf(fd: number): string {
    const file = this.#files.get(fd)
    if (file === undefined) throw failure('EBADF', `descriptor ${fd}`)
    return file
  }
}

function failure(code: string, what: string): NodeJS.ErrnoException {
  const syscall = what.replace(/Sync$/, '')
  return Object.assign(new Error(`${code}: put in by the test, ${what}`), { code, syscall })
}
