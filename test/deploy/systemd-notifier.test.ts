import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Logger } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { SystemdNotifier } from '../../src/cli/run/systemd-notifier.js'
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
  '%s notifies systemd when it is ready, and then that it is alive (needs systemd-notify)',
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
        // A notice every 100 ms.
        const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '300000' }
        program = start(process.execPath, [PROGRAM, command, ...more, ...places], env)
      }
      if (heard.filter((message) => message === 'WATCHDOG=1').length === 2) break
    }
    expect(heard).toContain('READY=1')
    if (program !== null) await end(program)
  },
)

interface Logged {
  fields: object
  message: string
}

function notifierIn(environment: Record<string, string>): { logged: Logged[]; notifier: SystemdNotifier } {
  const logged: Logged[] = []
  const logger = { error: (fields: object, message: string) => logged.push({ fields, message }) }
  return { logged, notifier: new SystemdNotifier(logger as unknown as Logger, environment) }
}

test('notices are due three times in each period, and only from the process that systemd watches', () => {
  const watched = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '30000000' }
  expect(notifierIn(watched).notifier.aliveEveryMs).toBe(10_000)
  const pid = String(process.pid)
  expect(notifierIn({ ...watched, WATCHDOG_PID: pid }).notifier.aliveEveryMs).toBe(10_000)
  expect(notifierIn({ ...watched, WATCHDOG_PID: `${pid}0` }).notifier.aliveEveryMs).toBeNull()
  expect(notifierIn({ NOTIFY_SOCKET: '/run/notify' }).notifier.aliveEveryMs).toBeNull()
  expect(notifierIn({ WATCHDOG_USEC: '30000000' }).notifier.aliveEveryMs).toBeNull()
})

test('a failure to notify systemd is an error in the log', async () => {
  const { logged, notifier } = notifierIn({ NOTIFY_SOCKET: '/nonexistent/notify' })
  notifier.ready()
  await expect.poll(() => logged.length).toBe(1)
  expect(logged[0]?.message).toMatch(/NotifyAccess=all/)
})
