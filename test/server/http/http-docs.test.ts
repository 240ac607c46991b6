import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { MAX_BODY_BYTES, MAX_EVENTS } from '../../../src/server/ingest/posted-events.js'
import { TOKEN, test } from '../support.js'

const PAGE = fileURLToPath(new URL('../../../docs/http.md', import.meta.url))
const MARKED = /(<!-- routes: .* -->\n).*(?=<!-- end of routes -->)/s

interface Parameter {
  name: string
  description: string
  schema: { type: string; default?: unknown; minimum?: number; maximum?: number }
}

interface Route {
  title: string
  summary: string
  description?: string
  parameters: Parameter[]
  statuses: string[]
}

interface OpenApi {
  paths: Record<string, Record<string, Omit<Route, 'title' | 'statuses'> & { responses: object }>>
}

function routesOf({ paths }: OpenApi): Route[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { responses, parameters = [], ...route }]) => {
      const statuses = Object.keys(responses).filter((status) => status !== 'default')
      return { ...route, title: `${method.toUpperCase()} ${path}`, parameters, statuses }
    }),
  )
}

const keyOf = ({ name, description }: Parameter) => `${name}: ${description}`

function table(parameters: Parameter[]): string {
  const rows = parameters
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, description, schema }) => {
      const { type, default: standard = '' } = schema
      // Outside of code `<name>` would be a tag.
      const text = description.replaceAll('|', '\\|').replace(/(?<!`)label:<name>/g, '`$&`')
      return `| \`${name}\` | ${type} | ${standard} | ${text} |`
    })
  return rows.length === 0
    ? ''
    : `| parameter | type | default | |\n|---|---|---|---|\n${rows.join('\n')}\n\n`
}

/** The routes as a page has them: parameters that several routes share stand in a table of their own. */
function render(routes: Route[]): string {
  const all = routes.flatMap(({ parameters }) => parameters)
  const count = (key: string) => all.filter((parameter) => keyOf(parameter) === key).length
  const shared = [...new Map(all.map((parameter) => [keyOf(parameter), parameter])).values()].filter(
    (parameter) => count(keyOf(parameter)) > 2,
  )
  const sharedKeys = shared.map(keyOf)
  // OpenAPI has no parameters whose names are patterns.
  const label: Parameter = {
    name: 'label:<name>',
    description:
      'Only requests with exactly this label, such as label:team=search. With several of these filters, all of them must match.',
    schema: { type: 'string' },
  }
  const sections = routes.map(({ title, summary, description, parameters, statuses }) => {
    const keys = parameters.map(keyOf)
    const missing = shared.filter((parameter) => !keys.includes(keyOf(parameter)))
    const names = missing.map(({ name }) => `\`${name}\``).sort()
    const takes =
      missing.length === 0 ? 'all of the shared parameters' : `the shared parameters without ${names}`
    const sentence = missing.length === shared.length ? '' : ` Takes ${takes.replaceAll(',', ', ')}.`
    const own = parameters.filter((parameter) => !sharedKeys.includes(keyOf(parameter)))
    const text = description === undefined ? '' : `${description}\n\n`
    return `## ${title}\n\n${summary}. Status ${statuses.join(', ')}, or an error.${sentence}\n\n${text}${table(own)}`
  })
  return `\n## Shared parameters\n\n${table([...shared, label])}${sections.join('')}`
}

test('docs/http.md has every route and parameter, in the words of /openapi.json', async ({ serve }) => {
  const server = await serve({ ingest: true, token: TOKEN })
  const { body } = await server.get('/openapi.json', { headers: { authorization: `Bearer ${TOKEN}` } })
  const page = readFileSync(PAGE, 'utf8')
  const expected = page.replace(MARKED, (_, begin: string) => begin + render(routesOf(body)))
  if (process.env['UPDATE_README'] === '1') writeFileSync(PAGE, expected)
  else expect(page, 'run UPDATE_README=1 npx vitest run test/server/http/http-docs.test.ts').toBe(expected)
  const [, events = ''] = expected.split('## POST /v1/events')
  const { requestBody } = body.paths['/v1/events'].post
  const limits = [MAX_BODY_BYTES, MAX_EVENTS].map((limit) => limit.toLocaleString('en-US'))
  for (const named of [...Object.keys(requestBody.content), ...limits]) expect(events).toContain(named)
})
