import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { createProgram } from '../../src/cli/program.js'
import { startServer } from '../../src/server/index.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(join(ROOT, 'deploy', file), 'utf8')
const { commands } = await createProgram()

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'request-journal-deploy-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** The options of a command line that the program doesn't have. */
function unknownOptions([name = '', ...args]: string[]): string[] {
  const command = commands.find((one) => one.name() === name)
  if (command === undefined) return [name]
  const known = new Set(command.options.map(({ long }) => long))
  return args.filter((arg) => arg.startsWith('--') && !known.has(arg))
}

/** The drop-ins of the unit of serve, all at once. */
const DROP_INS = join(ROOT, 'deploy/systemd/request-journal-serve.service.d')
const dropIns = () =>
  readdirSync(DROP_INS).map((name) => [name, readFileSync(join(DROP_INS, name), 'utf8')] as const)

const UNITS = ['request-journal-project.service', 'request-journal-serve.service']
const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0

describe.each(UNITS)('%s', (name) => {
  const unit = () => read(`systemd/${name}`)

  test('starts the program with options that it has', () => {
    const [, line = ''] = /^ExecStart=\S+\/request-journal (.*)$/m.exec(unit()) ?? []
    expect(unknownOptions(line.split(' '))).toEqual([])
    expect(line).not.toBe('')
  })

  test('takes signs of life from systemd-notify, waits before it restarts, and gives up after a while', () => {
    for (const line of [
      ...['Type=notify', 'NotifyAccess=all', 'Restart=on-failure', 'NoNewPrivileges=yes'],
      // Five starts, 10 s apart, are within the interval. Wrong options end with 2.
      ...['StartLimitIntervalSec=10min', 'StartLimitBurst=5', 'RestartPreventExitStatus=2'],
    ]) {
      expect(unit()).toContain(`\n${line}\n`)
    }
    expect(unit()).toMatch(/^WatchdogSec=\d/m)
    expect(unit()).toMatch(/^RestartSec=10$/m)
  })

  test.skipIf(!hasAnalyze)('is a unit that systemd takes, with an exposure of at most 1.5', () => {
    // The program isn't installed here.
    const path = join(directory, name)
    writeFileSync(path, unit().replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true'))
    if (name.includes('serve')) cpSync(DROP_INS, `${path}.d`, { recursive: true })
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
    expect(
      verified.stderr.split('\n').filter((line) => line.includes(name) || line.includes('.conf')),
    ).toEqual([])
    const judged = spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', '--threshold=15', '--no-pager', path],
      {
        encoding: 'utf8',
      },
    )
    expect(judged.status, judged.stdout.split('\n').slice(-3).join('\n')).toBe(0)
  })
})

test('the drop-ins of serve set variables that it has, and leave its command line as it is', () => {
  const serve = commands.find((one) => one.name() === 'serve')
  const known = serve?.options.map(({ envVar }) => envVar)
  const files = dropIns()
  expect(files.map(([name]) => name).sort()).toEqual(['ingest.conf', 'token.conf'])
  for (const [, text] of files) {
    expect(text).not.toContain('ExecStart')
    const variables = [...text.matchAll(/REQUEST_JOURNAL_\w+(?==)/g)].map(([variable]) => variable)
    expect(variables.length).toBeGreaterThan(0)
    expect(known).toEqual(expect.arrayContaining(variables))
  }
})

describe('Dockerfile', () => {
  const text = read('Dockerfile')
  const image = text.slice(text.lastIndexOf('FROM '))
  const array = (word: string): string[] =>
    JSON.parse(new RegExp(`^.*${word} (\\[.*\\])$`, 'm').exec(image)?.[1] ?? '')

  test('runs a file of the package, as a user that isn’t root, with options and variables that it has', () => {
    expect(image).toMatch(/^USER [1-9]\d+:[1-9]\d+$/m)
    const file = array('ENTRYPOINT')[1]?.replace('/app/node_modules/request-journal/', '') ?? ''
    expect(existsSync(join(ROOT, file))).toBe(true)
    const args = array('\nCMD')
    expect(unknownOptions(args)).toEqual([])
    const serve = commands.find((one) => one.name() === args[0])
    const variables = [...image.matchAll(/REQUEST_JOURNAL_\w+/g)].map(([variable]) => variable)
    expect(variables.length).toBeGreaterThan(2)
    expect(serve?.options.map(({ envVar }) => envVar)).toEqual(expect.arrayContaining(variables))
  })

  test('has a health check that passes while the server answers, and fails when it doesn’t', async () => {
    const [program = '', ...args] = array('HEALTHCHECK .* CMD')
    expect(program).toBe('node')
    const database = join(directory, 'checked.db')
    const server = await startServer({ database, journal: join(directory, 'none'), port: 0 })
    const check = async () => {
      const script = args.map((arg) => arg.replace('http://127.0.0.1:8790', server.url))
      const { spawn } = await import('node:child_process')
      const child = spawn(process.execPath, script, { stdio: 'ignore' })
      return await new Promise((resolve) => child.on('exit', resolve))
    }
    expect(await check()).toBe(0)
    await server.close()
    expect(await check()).toBe(1)
  })

  const canUnshare =
    process.getuid?.() === 0 &&
    spawnSync('unshare', ['--mount', 'sh', '-c', 'mount -o remount,bind,ro / && ! touch /etc/x']).status === 0

  test.skipIf(!canUnshare)(
    'its user projects although everything but its volumes is read-only (needs root)',
    () => {
      const [uid = '', gid = ''] = /^USER (\d+):(\d+)$/m.exec(image)?.slice(1) ?? []
      const volumes = join(directory, 'volumes')
      mkdirSync(volumes)
      const program = `"${process.execPath}" "${join(ROOT, 'dist/cli/main.js')}"`
      const event = '{"type":"request_logged","model":"m","latency_ms":1,"success":true}'
      // A bind mount of its own stays writable, as a volume does.
      const script = `set -e
      chown ${uid}:${gid} "${volumes}"
      chmod 755 "${directory}"
      mount --bind "${volumes}" "${volumes}"
      mount -o remount,bind,ro /
      export REQUEST_JOURNAL_DIR="${volumes}/journal" REQUEST_JOURNAL_DB="${volumes}/data/requests.db"
      as="setpriv --reuid=${uid} --regid=${gid} --clear-groups --no-new-privs"
      echo '${event}' | $as ${program} append
      $as ${program} project --once --json`
      const { stdout, stderr, status } = spawnSync('unshare', ['--mount', 'sh', '-c', script], {
        encoding: 'utf8',
      })
      expect(stdout, stderr).toContain('"projected":1')
      expect(status).toBe(0)
    },
  )
})

test('kubernetes.yaml starts the program with options that it has, unprivileged and on a read-only root', () => {
  const documents = parseAllDocuments(read('kubernetes.yaml')).map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS()
  })
  const set = documents.find(({ kind }) => kind === 'StatefulSet')
  const { initContainers, containers, securityContext, volumes } = set.spec.template.spec
  const [sidecar] = initContainers
  expect(unknownOptions(sidecar.args)).toEqual([])
  expect(securityContext).toMatchObject({ runAsNonRoot: true, fsGroup: securityContext.runAsGroup })
  const claims = set.spec.volumeClaimTemplates.map(
    ({ metadata }: { metadata: { name: string } }) => metadata.name,
  )
  const named = new Set([...claims, ...volumes.map(({ name }: { name: string }) => name)])
  for (const container of [sidecar, ...containers]) {
    expect(container.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
    })
    for (const { name } of container.volumeMounts) expect(named).toContain(name)
  }
  const token = documents.find(({ kind }) => kind === 'Secret').stringData.token
  expect(token.length).toBeGreaterThan(16)
})
