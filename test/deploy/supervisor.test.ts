import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Logger } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { Supervisor } from '../../src/cli/run/supervisor.js'
import { end, PROGRAM } from '../support/program.js'

/** What systemd does with its socket: it prints messages, and closes the descriptors by which senders wait for it. */
const LISTENER = `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    data, ancillary, *_ = s.recvmsg(4096, 4096)
    for _, _, fds in ancillary:
        for fd in array.array('i', fds[:len(fds) - len(fds) % 4]):
            os.close(fd)
    print(data.decode().strip(), flush=True)
`
const canNotify =
  spawnSync('systemd-notify', ['--version']).status === 0 && spawnSync('python3', ['--version']).status === 0

function start(command: string, args: string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, ...env } })
  onTestFinished(async () => {
    await end(child, 'SIGKILL')
  })
  return child
}

test.skipIf(!canNotify).each([
  ['project', []],
  ['serve', ['--port', '0']],
])(
  '%s tells systemd when it is at work, and then that it is alive (needs systemd-notify)',
  async (command, more) => {
    const directory = mkdtempSync(join(tmpdir(), 'request-journal-notify-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const socket = join(directory, 'notify')
    const listener = start('python3', ['-c', LISTENER, socket])
    if (listener.stdout === null) throw new Error('stdout is piped')
    const heard: string[] = []
    let program: ChildProcess | null = null
    for await (const line of createInterface({ input: listener.stdout })) {
      heard.push(line)
      if (line === 'listening') {
        const places = ['--journal', join(directory, 'journal'), '--db', join(directory, 'requests.db')]
        // A sign every 100 ms.
        const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '300000' }
        program = start(process.execPath, [PROGRAM, command, ...more, ...places], env)
      }
      if (heard.filter((message) => message === 'WATCHDOG=1').length === 2) break
    }
    expect(heard).toContain('READY=1')
    if (program !== null) await end(program)
  },
)

interface Said {
  fields: object
  message: string
}

function supervisor(environment: Record<string, string>): { said: Said[]; supervisor: Supervisor } {
  const said: Said[] = []
  const logger = { error: (fields: object, message: string) => said.push({ fields, message }) }
  return { said, supervisor: new Supervisor(logger as unknown as Logger, environment) }
}

test('signs of life are due three times in each period, and only for the process that systemd watches', () => {
  const watched = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '30000000' }
  expect(supervisor(watched).supervisor.signEveryMs).toBe(10_000)
  const pid = String(process.pid)
  expect(supervisor({ ...watched, WATCHDOG_PID: pid }).supervisor.signEveryMs).toBe(10_000)
  expect(supervisor({ ...watched, WATCHDOG_PID: `${pid}0` }).supervisor.signEveryMs).toBeNull()
  expect(supervisor({ NOTIFY_SOCKET: '/run/notify' }).supervisor.signEveryMs).toBeNull()
  expect(supervisor({ WATCHDOG_USEC: '30000000' }).supervisor.signEveryMs).toBeNull()
})

test('a unit that can’t be told is an error in the log', async () => {
  const { said, supervisor: told } = supervisor({ NOTIFY_SOCKET: '/nonexistent/notify' })
  told.ready()
  await expect.poll(() => said.length).toBe(1)
  expect(said[0]?.message).toMatch(/NotifyAccess=all/)
})
