import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A small disk for a server, which can be filled. Needs root. */
export class ServerDisk {
  readonly directory: string

  /** @param megabytes a new cluster takes 40, and its log of transactions 16 at a time. */
  static mount(megabytes: number): ServerDisk {
    const directory = mkdtempSync(join(tmpdir(), 'request-journal-server-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'request-journal-torture', directory])
    chmodSync(directory, 0o755)
    return new ServerDisk(directory)
  }

  private constructor(directory: string) {
    this.directory = directory
  }

  /** Leaves so many bytes free. */
  fill(freeBytes: number): void {
    const { bavail, bsize } = statfsSync(this.directory)
    writeFileSync(this.#filler, Buffer.alloc(Math.max(0, bavail * bsize - freeBytes)))
  }

  /** Gives the room back. */
  empty(): void {
    rmSync(this.#filler, { force: true })
  }

  remove(): void {
    execFileSync('umount', ['-l', this.directory])
    rmdirSync(this.directory)
  }

  get #filler(): string {
    return join(this.directory, 'filler')
  }
}
