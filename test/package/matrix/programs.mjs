/** What a program uses of request-journal, by entry. */
const WHOLE = {
  '': ['openJournal', 'InvalidEventError'],
  '/errors': ['ERROR_CODES'],
  '/fetch': ['loggedFetch'],
  '/proxy': ['startProxy'],
  '/projection': ['projectOnce'],
  '/maintenance': ['verify'],
  '/queries': ['openDatabaseReadOnly', 'stats'],
  '/server': ['startServer'],
}
/** What it uses of a package that only writes. */
const WRITING = { '': ['openJournal', 'InvalidEventError'], '/fetch': ['loggedFetch'] }

const WRITE = `
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'request-journal-matrix-'))
  const places = { journal: path.join(directory, 'journal'), database: path.join(directory, 'requests.db') }
  const journal = openJournal({ directory: places.journal })
  const upstream = http.createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    const usage = { prompt_tokens: 5, completion_tokens: 6 }
    request.resume().on('end', () => response.end(JSON.stringify({ model: 'told', usage })))
  })
  await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const url = 'http://127.0.0.1:' + upstream.address().port
  const ask = async (fetch, base) => {
    const body = JSON.stringify({ model: 'asked', messages: [] })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(base + '/v1/chat/completions', { method: 'POST', headers, body })
    assert.equal((await answer.json()).model, 'told')
  }
  journal.begin({ model: 'begun' }).complete({ input_tokens: 3, output_tokens: 4 })
  assert.throws(() => journal.append({ model: 'without a latency' }), InvalidEventError)
  await ask(loggedFetch(journal), url)
`
const PROJECT = `
  const proxy = await startProxy(journal, { upstreams: { '/': url }, port: 0 })
  await ask(fetch, proxy.url)
  await proxy.close()
  await journal.close()
  assert.ok(Object.keys(ERROR_CODES).length > 5)
  assert.equal((await projectOnce(places)).projected, 3)
  assert.deepEqual((await verify(places)).problems, [])
  const database = openDatabaseReadOnly(places.database)
  assert.equal(stats(database, {}).counts.total, 3)
  database.close()
  const server = await startServer({ ...places, project: true, port: 0 })
  const answer = await fetch(server.url + '/v1/stats?since=2000-01-01T00:00:00Z')
  assert.equal((await answer.json()).counts.total, 3)
  await server.close()
  upstream.close()
  upstream.closeAllConnections()
`
const CLOSE = `
  await journal.close()
  upstream.close()
  upstream.closeAllConnections()
  const [segment] = fs.readdirSync(places.journal).filter((name) => name.endsWith('.ndjson'))
  const lines = fs.readFileSync(path.join(places.journal, segment), 'utf8').trim().split('\\n').map((line) => JSON.parse(line))
  assert.deepEqual(lines.map(({ model, output_tokens }) => [model, output_tokens]), [['begun', 4], ['asked', 6]])
`

/**
 * The text of a program that writes events, logs calls and, unless it only writes, projects, asks and serves. It prints where its
 * journal is, and fails if anything is other than it should be.
 *
 * @param {{ format: 'esm' | 'cjs', name?: string, onlyWrites?: boolean }} options
 */
export function programText({ format, name = 'request-journal', onlyWrites = name !== 'request-journal' }) {
  const load = (what, from) =>
    format === 'esm' ? `import ${what} from '${from}'` : `const ${what} = require('${from}')`
  const own = Object.entries(onlyWrites ? WRITING : WHOLE)
  const lines = [
    ...['assert', 'fs', 'http', 'os', 'path'].map((module) => load(module, `node:${module}`)),
    ...own.map(([entry, names]) => load(`{ ${names.join(', ')} }`, `${name}${entry}`)),
  ]
  return `${lines.join('\n')}\nasync function main() {${WRITE}${onlyWrites ? CLOSE : PROJECT}
  console.log(directory)\n}\nmain().catch((error) => {\n  console.error(error)\n  process.exit(1)\n})\n`
}

/** A program that uses the types of every entry, and has two mistakes that must be found. */
export function typedText(name) {
  const used = Object.entries(name === 'request-journal' ? WHOLE : WRITING)
  const imports = used.map(([entry, names]) => `import { ${names.join(', ')} } from '${name}${entry}'`)
  return `${imports.join('\n')}
export const used = [${used.flatMap(([, names]) => names).join(', ')}]
export const client: typeof fetch = loggedFetch(openJournal())
// @ts-expect-error: it isn't a number.
export const journal: number = openJournal()
// @ts-expect-error: there is no such option.
openJournal({ nothing: true })
`
}
