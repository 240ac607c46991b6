import { createConnection, createServer, type Server, type Socket } from 'node:net'

/**
 * Decides about bytes that pass: on with them, an end to the connection before they arrive, or
 * silence, as when the other end has lost its power.
 */
export type Verdict = 'pass' | 'cut' | 'lose'

/** Stands between a program and a server, and cuts connections as a network does: without a word. */
export class TcpProxy {
  /** Asked for all that the program sends. */
  onSent: (bytes: Buffer) => Verdict = () => 'pass'
  /** Asked for all that the server answers. */
  onAnswered: (bytes: Buffer) => Verdict = () => 'pass'
  /** Whether new connections are cut at once. */
  isClosed = false
  /** Where new connections lead. */
  targetPort: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** @param port where it listens; one that is free unless it is given. */
  static async start(targetPort: number, port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort)
    await new Promise<void>((resolve) => proxy.#server.listen(port, '127.0.0.1', resolve))
    return proxy
  }

  private constructor(target: number) {
    this.targetPort = target
    this.#server = createServer((client) => this.#join(client))
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.isClosed = true
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(client: Socket): void {
    if (this.isClosed) {
      client.destroy()
      return
    }
    const server = createConnection(this.targetPort, '127.0.0.1')
    const end = () => {
      client.destroy()
      server.destroy()
    }
    const forward = (from: Socket, to: Socket, decide: (bytes: Buffer) => Verdict) => {
      this.#sockets.add(from)
      from.on('data', (bytes: Buffer) => {
        const verdict = decide(bytes)
        if (verdict === 'cut') end()
        else if (verdict === 'pass') to.write(bytes)
      })
      from.on('error', end)
      from.on('close', () => {
        this.#sockets.delete(from)
        end()
      })
    }
    forward(client, server, (bytes) => this.onSent(bytes))
    forward(server, client, (bytes) => this.onAnswered(bytes))
  }
}
