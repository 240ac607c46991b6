import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const NGINX = '/usr/sbin/nginx'
export const HAPROXY = '/usr/sbin/haproxy'

/**
 * A proxy that people put before the server: what its configuration says, given its own port and
 * the server's.
 */
export interface ProxyKind {
  program: string
  configure(port: number, upstream: number, folder: string): string
  args(configuration: string, folder: string): string[]
}

/** nginx with a server's block. */
export const nginxWith = (serverBlock: (port: number, upstream: number) => string): ProxyKind => ({
  program: NGINX,
  configure: (port, upstream, folder) => `
    daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
    events {}
    http {
      access_log off;
      client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
      uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
      ${serverBlock(port, upstream)}
    }`,
  args: (configuration, folder) => ['-c', configuration, '-p', folder],
})

const nginx = (target: string): ProxyKind =>
  nginxWith(
    (port, upstream) => `server {
      listen 127.0.0.1:${port};
      location /journal/ { proxy_pass http://127.0.0.1:${upstream}${target}; }
    }`,
  )

export const PROXIES: Record<string, ProxyKind> = {
  'nginx that takes its folder off': nginx('/'),
  'nginx that passes its folder on': nginx(''),
  'haproxy that takes its folder off': {
    program: HAPROXY,
    configure: (port, upstream) => `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend all
  bind 127.0.0.1:${port}
  http-request replace-path /journal/(.*) /\\1
  default_backend journal
backend journal
  server one 127.0.0.1:${upstream}
`,
    args: (configuration) => ['-db', '-f', configuration],
  },
}

/** A running proxy. */
export class RunningProxy {
  /** Without a slash at its end. */
  readonly url: string
  readonly #process: ChildProcess
  readonly #folder: string

  private constructor(url: string, process: ChildProcess, folder: string) {
    this.url = url
    this.#process = process
    this.#folder = folder
  }

  static async start(kind: ProxyKind, upstream: number): Promise<RunningProxy> {
    const folder = mkdtempSync(join(tmpdir(), 'request-journal-proxy-'))
    const port = await freePort()
    const configuration = join(folder, 'proxy.conf')
    writeFileSync(configuration, kind.configure(port, upstream, folder))
    const process = spawn(kind.program, kind.args(configuration, folder), { stdio: 'inherit' })
    const proxy = new RunningProxy(`http://127.0.0.1:${port}`, process, folder)
    while (!(await accepts(port))) {
      if (process.exitCode !== null) throw new Error(`${kind.program} ended with ${process.exitCode}`)
      await sleep(20)
    }
    return proxy
  }

  static isInstalled(kind: ProxyKind): boolean {
    return existsSync(kind.program)
  }

  async stop(): Promise<void> {
    const isOver = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await isOver
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
