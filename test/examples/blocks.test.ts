import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { blocksByHeading, PAGES } from '../support/pages.js'

/** A part of a page, and how many blocks of each language it has: `## Prices` of docs/pricing.md has `{ sh: 1 }`. */
type Part = [page: string, heading: string, counts: Record<string, number>]

/** The blocks that tests run, compile or compare with what is printed, by the test that does it. */
const RUN: Record<string, Part[]> = {
  'test/examples/pages.test.ts': [
    ['README.md', 'Log your requests', { 'sh server': 1 }],
    ['README.md', 'Look at them', { sh: 1 }],
    ['docs/asking.md', 'Questions that come up every month', { sh: 1 }],
    ['docs/clients.md', 'Events from other hosts', { sh: 1, 'sh server': 1, json: 1 }],
    ['docs/clients.md', 'Events from a program on this host', { python: 1, go: 1 }],
    ['docs/http.md', 'POST /v1/events', { json: 1 }],
    ['docs/import.md', '', { sh: 1 }],
    ['docs/import.md', 'From LiteLLM', { 'sh network': 2 }],
    ['docs/import.md', 'From a CSV file', { sh: 1 }],
    ['docs/import.md', 'From a table of your own', { sh: 1 }],
    ['docs/operations.md', 'Backup and restore', { sh: 2 }],
    ['docs/operations.md', 'Move from arbstr, or another sqlx program', { sh: 2 }],
    ['docs/pricing.md', 'How a cost is computed', { sh: 1 }],
    ['docs/pricing.md', 'Prices', { sh: 1 }],
    ['docs/pricing.md', 'Importing prices', { sh: 1, csv: 1 }],
    ['docs/tutorial.md', '2. Start a proxy that logs', { 'sh server': 1, text: 1 }],
    ['docs/tutorial.md', '3. Ask through it', { sh: 2, text: 1 }],
    ['docs/tutorial.md', '4. Say what it costs', { sh: 2, text: 1 }],
    ['docs/tutorial.md', '5. Ask by team', { sh: 2, text: 1 }],
    ['docs/tutorial.md', '6. Log a program without the proxy', { 'js ask.mjs': 1, sh: 2, text: 1 }],
    ['docs/tutorial.md', '7. Lose the database', { sh: 1 }],
  ],
  'test/examples/documented.test.ts': [
    ['docs/clients.md', 'Proxy', { 'sh server': 1, text: 1, json: 1 }],
    ['docs/clients.md', 'begin: in a gateway of your own', { js: 1 }],
  ],
  'test/server/ingest/python-client.test.ts': [
    ['docs/clients.md', 'Events from other hosts', { python: 2, py: 1 }],
  ],
  'test/cli/costs/pricing-example.test.ts': [
    ['docs/pricing.md', 'From a bill to a reconciled month', { sh: 5, text: 2 }],
  ],
  'test/deploy/host.test.ts': [
    ['docs/deploy.md', 'systemd', { sh: 3 }],
    ['docs/deploy.md', "logrotate isn't needed", { sh: 1 }],
    ['docs/deploy.md', 'Upgrades and downgrades', { sh: 3 }],
    ['docs/operations.md', 'Backup and restore', { sh: 1 }],
  ],
  'test/deploy/files.test.ts': [['docs/monitoring.md', "What the metrics can't tell", { ini: 2 }]],
  'test/server/metrics/monitoring-docs.test.ts': [
    ['docs/monitoring.md', '', { yaml: 1 }],
    ['docs/monitoring.md', 'Load balancers and supervisors', { haproxy: 1 }],
    ['docs/monitoring.md', "What the metrics can't tell", { yaml: 1 }],
  ],
  'test/store/postgres/roles.test.ts': [
    ['docs/fleet.md', 'Roles', { sql: 1 }],
    // The questions by psql, and the names that Citus is given.
    ['docs/fleet.md', 'A host that lost its disk', { sh: 1 }],
    ['docs/fleet.md', 'Old days', { sh: 1 }],
    ['docs/fleet.md', 'Beyond one server', { sql: 1 }],
  ],
  'test/maintenance/parquet/export-parquet.test.ts': [['docs/fleet.md', 'Parquet', { sql: 1 }]],
  'test/documents.test.ts': [['docs/asking.md', 'With SQL', { sql: 3 }]],
  'test/journal/specification.test.ts': [
    ['journal/README.md', 'The checksum', { text: 1 }],
    ['journal/README.md', 'Test vectors', { ndjson: 1 }],
    ['journal/README.md', 'An appender in Python', { python: 1 }],
    ['journal/README.md', 'Appending from a shell', { sh: 1 }],
  ],
}

/** The blocks that no test runs, by the reason. The commands of this program in them are held to `--help`. */
const NOT_RUN: Record<string, Part[]> = {
  'installs packages: npm run test:package installs the packed ones, with what they need': [
    ['README.md', 'Install', { 'sh network': 1 }],
    ['docs/tutorial.md', '1. Install', { 'sh network': 1 }],
    ['docs/tutorial.md', '6. Log a program without the proxy', { 'sh network': 1 }],
    ['writer/README.md', '', { sh: 1 }],
  ],
  'would run all tests or the benchmark: only the npm scripts and files are looked for': [
    ['README.md', '', { 'sh checkout': 1 }],
    ['CONTRIBUTING.md', 'Set up', { sh: 1 }],
    ['CONTRIBUTING.md', 'Check and test', { sh: 1 }],
    ['docs/faults.md', '', { sh: 1 }],
    ['docs/faults.md', 'Many hosts, one PostgreSQL', { sh: 1 }],
    ['docs/performance.md', 'Measuring', { sh: 1 }],
  ],
  'needs the daemon of Docker: test/deploy/files.test.ts tries what the image runs': [
    ['docs/deploy.md', 'Container', { sh: 1 }],
  ],
  'names servers of the reader: test/store/postgres and test/maintenance run the same commands on theirs': [
    ['docs/fleet.md', '', { sh: 1 }],
    ['docs/fleet.md', 'One page for all hosts', { sh: 1 }],
    ['docs/fleet.md', 'Old days', { sh: 1 }],
    ['docs/fleet.md', 'Segments in an object store', { sh: 2 }],
    ['docs/fleet.md', 'Parquet', { sh: 1 }],
  ],
  'a drawing': [
    ['docs/architecture.md', '', { text: 1 }],
    ['docs/fleet.md', '', { text: 1 }],
  ],
  'shortened from the sources': [['docs/architecture.md', 'The path of one event', { js: 1 }]],
  'the form of a line, which the text beside it says': [
    ['journal/README.md', 'Files', { json: 1 }],
    ['journal/README.md', 'The checksum', { text: 1 }],
  ],
}

/** The blocks of all parts, as `page, heading, language: count`. */
function listed(parts: Part[]): string[] {
  const counts = new Map<string, number>()
  for (const [page, heading, ofLanguages] of parts) {
    for (const [language, count] of Object.entries(ofLanguages)) {
      const key = `${page}, ## ${heading}, ${language}`
      counts.set(key, (counts.get(key) ?? 0) + count)
    }
  }
  return [...counts].map(([key, count]) => `${key}: ${count}`).toSorted()
}

test('every block of code on a page is run by a test, or listed with the reason why none does', () => {
  const found = [...PAGES, 'writer/README.md'].flatMap((page) =>
    blocksByHeading(page).flatMap(({ heading, blocks }) =>
      // test/documents.test.ts and test/package/writer.test.ts compile these wherever they stand.
      blocks
        .filter(({ language }) => language !== 'ts')
        .map(({ language, marks }): Part => [page, heading, { [[language, ...marks].join(' ').trim()]: 1 }]),
    ),
  )
  expect(found.length).toBeGreaterThan(80)
  expect(listed(found)).toEqual(listed([...Object.values(RUN), ...Object.values(NOT_RUN)].flat()))
})

test.each(Object.entries(RUN))('%s reads the pages whose blocks it is said to run', (file, parts) => {
  const path = fileURLToPath(new URL(`../../${file}`, import.meta.url))
  expect(existsSync(path)).toBe(true)
  const text = readFileSync(path, 'utf8')
  for (const [page] of parts) expect(text, page).toContain(page)
})
