import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { start } from '../../support/program.js'

/** `serve --project` on a journal and a database, as a user starts it. */
export class Service {
  readonly url: string
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, url: string) {
    this.#process = process
    this.url = url
  }

  /** @param port 0: a free one. */
  static async start(files: { journal: string; database: string }, port = 0): Promise<Service> {
    const { journal, database } = files
    const args = ['--journal', journal, '--db', database, '--port', String(port), '--log-level', 'warn']
    const child = start(['serve', '--project', ...args])
    const { stdout, stderr } = child
    if (stdout === null || stderr === null) throw new Error('stdout and stderr are piped')
    let log = ''
    stderr.on('data', (chunk) => {
      log += chunk
    })
    const url = await new Promise<string>((resolve, reject) => {
      createInterface(stdout).once('line', resolve)
      child.once('exit', (status) => reject(new Error(`serve ended with ${status}: ${log}`)))
    })
    return new Service(child, url)
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGTERM')
    await once(this.#process, 'exit')
  }
}
