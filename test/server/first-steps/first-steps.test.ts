import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { programName } from '../../../src/cli/run/program-name.js'
import { type FirstSteps, firstSteps } from '../../../src/server/first-steps/first-steps.js'
import { pathFrom, quoted } from '../../../src/server/first-steps/shell.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { PROGRAM } from '../../support/program.js'
import { log, type Place, requestLog, test } from '../support.js'

/** Types a command where the server was started, as its reader would. */
function type({ folder }: FirstSteps, command: string): void {
  const { status, stderr } = spawnSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8' })
  expect(status, `${command}\n${stderr}`).toBe(0)
}

const missing = ({ parts }: FirstSteps) =>
  parts.filter(({ is_there }) => is_there === false).map(({ name }) => name)
const commandWith = ({ steps }: FirstSteps, word: string) =>
  steps.find(({ command }) => command.includes(` ${word} `))?.command ?? `no step with ${word}`
const program = `node ${quoted(PROGRAM)}`

describe('GET /v1/first-steps', () => {
  test('names what is missing, and commands that bring it when they are typed', async ({ place, serve }) => {
    // A path that no shell takes as it is.
    const folder = join(place.directory, "it's here")
    mkdirSync(folder)
    const odd: Place = {
      directory: folder,
      journal: join(folder, 'journal'),
      database: join(folder, 'requests.db'),
    }
    const server = await serve({ journal: odd.journal, database: odd.database, program })
    const ask = async () => (await server.get('/v1/first-steps')).body as FirstSteps
    const empty = await ask()
    expect(missing(empty)).toEqual(['Journal', 'Events', 'Projector', 'Database'])
    type(empty, commandWith(empty, 'append'))
    const written = await ask()
    expect(missing(written)).toEqual(['Projector', 'Database'])
    expect(written.steps).toHaveLength(1)
    type(written, `${commandWith(written, 'project')} --once`)
    expect((await server.get('/v1/stats')).body.counts.total).toBe(1)
  })

  test('has no step while a projector runs and events come', async ({ place, serve }) => {
    await log(place, [requestLog()])
    const server = await serve({ project: true })
    const { body } = await server.get('/v1/first-steps')
    expect(body.steps).toEqual([])
    expect(missing(body)).toEqual([])
  })

  test('asks for the token: it has paths', async ({ serve }) => {
    const server = await serve({ token: 'correct-horse-battery-staple' })
    expect((await server.get('/v1/first-steps')).status).toBe(401)
  })

  test.skipIf(noPostgres !== null)('takes PostgreSQL from no tables to a request', async ({ serve }) => {
    const address = await sharedPostgres()
    const schema = `first_steps_${process.pid}`
    const server = await serve({ database: address, schema, program })
    const ask = async () => (await server.get('/v1/first-steps')).body as FirstSteps
    const empty = await ask()
    expect(missing(empty)).toEqual(['Journal', 'Events', 'Projector', 'Database'])
    type(empty, commandWith(empty, 'migrate'))
    type(empty, commandWith(empty, 'append'))
    type(empty, `${commandWith(empty, 'project')} --once`)
    expect((await server.get('/v1/stats')).body.counts.total).toBe(1)
  })
})

test('paths are relative below the folder, and absolute elsewhere', () => {
  expect(pathFrom('/srv/app', '/srv/app/journal')).toBe('journal')
  expect(pathFrom('/srv/app', '/srv/app')).toBe('.')
  expect(pathFrom('/srv/app', '/srv/other/journal')).toBe('/srv/other/journal')
  expect(pathFrom('/', '/var/lib/llm/journal')).toBe('/var/lib/llm/journal')
  expect(pathFrom('/srv/app', '/srv/app/..journal')).toBe('..journal')
  expect(pathFrom('/srv/app', '/srv/app/-journal')).toBe('./-journal')
  const found = { journal: 'missing', hasDatabase: false, isProjecting: false } as const
  const files = { journal: '/srv/app/my journal', database: '/var/lib/requests.db' }
  const { steps } = firstSteps(found, { program, folder: '/srv/app', schema: 'public', ...files })
  expect(steps[0]?.command).toBe(`${program} project --journal 'my journal' --db /var/lib/requests.db`)
})

test.for([
  ['/srv/app/dist/cli/main.js', '', 'node dist/cli/main.js'],
  ['/opt/rj/dist/cli/main.js', '', 'node /opt/rj/dist/cli/main.js'],
  ['/usr/local/bin/request-journal', '/usr/bin:/usr/local/bin', 'request-journal'],
  ['/srv/app/node_modules/.bin/request-journal', '/usr/bin', 'node_modules/.bin/request-journal'],
  [
    '/srv/app/node_modules/.bin/request-journal',
    '/srv/app/node_modules/.bin:/usr/bin',
    'npx request-journal',
  ],
  ['', '', 'request-journal'],
] as const)('a program started as %s with the PATH %s is called %s', ([script, path, name]) => {
  expect(programName(script, '/srv/app', path)).toBe(name)
})
