import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { createProgram } from '../../src/cli/program.js'
import { startServer } from '../../src/server/index.js'
import { codeBlocks } from '../support/pages.js'

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

/** The drop-ins of a unit, each with its name and text. */
function dropIns(unit: string): { folder: string; files: [name: string, text: string][] } {
  const folder = join(ROOT, `deploy/systemd/${unit}.d`)
  const names = existsSync(folder) ? readdirSync(folder).sort() : []
  return { folder, files: names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]) }
}

const SERVICES = ['request-journal-project.service', 'request-journal-serve.service']
const DAILY = 'request-journal-daily.service'
const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0

describe.each([...SERVICES, DAILY])('%s', (name) => {
  const unit = read(`systemd/${name}`)
  const { folder, files } = dropIns(name)

  test('starts the program with options that it has, also with its drop-ins', () => {
    const text = [unit, ...files.map(([, dropIn]) => dropIn)].join('\n')
    const lines = [...text.matchAll(/^ExecStart=\S+\/request-journal (.*)$/gm)].map(([, line = '']) => line)
    for (const line of lines) expect(unknownOptions(line.split(' '))).toEqual([])
    expect(lines.length).toBeGreaterThan(0)
  })

  test.skipIf(!hasAnalyze)('is a unit that systemd takes, with an exposure of at most 1.5', () => {
    // Neither the program nor rsync is installed here.
    const withoutPrograms = (text: string) => text.replace(/^ExecStart=\S+/gm, 'ExecStart=/bin/true')
    const path = join(directory, name)
    writeFileSync(path, withoutPrograms(unit))
    if (files.length > 0) mkdirSync(`${path}.d`)
    for (const [dropIn, text] of files) writeFileSync(join(`${path}.d`, dropIn), withoutPrograms(text))
    const paths = [path]
    if (name === DAILY) {
      paths.push(path.replace('.service', '.timer'))
      writeFileSync(paths.at(-1) ?? '', read(`systemd/${DAILY.replace('.service', '.timer')}`))
    }
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], { encoding: 'utf8' })
    const isOurs = (line: string) => line.includes('request-journal') || line.includes('.conf')
    expect(verified.stderr.split('\n').filter(isOurs)).toEqual([])
    const offline = ['security', '--offline=true', '--threshold=15', '--no-pager', path]
    const judged = spawnSync('systemd-analyze', offline, { encoding: 'utf8' })
    expect(judged.status, judged.stdout.split('\n').slice(-3).join('\n')).toBe(0)
  })

  test('has drop-ins that say where they belong', () => {
    for (const [dropIn, text] of files) expect(text).toContain(`# /etc/systemd/system/${name}.d/${dropIn}: `)
    expect(existsSync(folder)).toBe(files.length > 0)
  })
})

test.skipIf(!hasAnalyze)('systemd takes the units of docs/monitoring.md that send a mail', () => {
  const [failed = '', dropIn = ''] = codeBlocks('docs/monitoring.md').flatMap(({ language, text }) =>
    language === 'ini' ? [text] : [],
  )
  const folder = mkdtempSync(join(directory, 'mail-'))
  writeFileSync(join(folder, 'request-journal-failed@.service'), failed)
  writeFileSync(join(folder, DAILY), `${dropIn}[Service]\nType=oneshot\nExecStart=/bin/false\n`)
  const paths = [join(folder, 'request-journal-failed@daily.service'), join(folder, DAILY)]
  const verified = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], { encoding: 'utf8' })
  expect(verified.stderr.split('\n').filter((line) => line.includes('request-journal'))).toEqual([])
})

test.each(SERVICES)(
  '%s takes signs of life from systemd-notify, waits before it restarts, and gives up after a while',
  (name) => {
    const unit = read(`systemd/${name}`)
    for (const line of [
      ...['Type=notify', 'NotifyAccess=all', 'Restart=on-failure', 'NoNewPrivileges=yes'],
      // Five starts, 10 s apart, are within the interval. Wrong options end with 2.
      ...['StartLimitIntervalSec=10min', 'StartLimitBurst=5', 'RestartPreventExitStatus=2'],
    ]) {
      expect(unit).toContain(`\n${line}\n`)
    }
    expect(unit).toMatch(/^WatchdogSec=\d/m)
    expect(unit).toMatch(/^RestartSec=10$/m)
  },
)

test('the drop-ins of serve set variables that it has, and leave its command line as it is', () => {
  const serve = commands.find((one) => one.name() === 'serve')
  const known = serve?.options.map(({ envVar }) => envVar)
  const { files } = dropIns('request-journal-serve.service')
  expect(files.map(([name]) => name)).toEqual(['ingest.conf', 'token.conf'])
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
      const { spawn } = await import('node:child_process')
      const env = { ...process.env, REQUEST_JOURNAL_PORT: new URL(server.url).port }
      const child = spawn(process.execPath, args, { stdio: 'ignore', env })
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
