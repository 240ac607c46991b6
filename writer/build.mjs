import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What a program imports, by its entry in package.json's exports. */
const ENTRIES = { '.': 'index', './fetch': 'clients/fetch/index' }

/**
 * Makes the package request-journal-writer of the same sources as request-journal: all that appends events and logs calls, as
 * minified code, with the types that it shows. `npm run build` must have made the types.
 *
 * @param {string} directory where it goes. Beside the package's files it has ports.js, which isn't packed: by it tests hand in a
 *   clock and a file system.
 */
export async function buildWriter(directory) {
  mkdirSync(directory, { recursive: true })
  await build({
    absWorkingDir: ROOT,
    entryPoints: {
      index: 'src/index.ts',
      fetch: 'src/clients/fetch/index.ts',
      ports: 'src/journal/append/journal.ts',
    },
    outdir: directory,
    bundle: true,
    // What the entries share is one file, or an error that one of them throws would be of no class that the other exports.
    splitting: true,
    chunkNames: 'shared',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minify: true,
    charset: 'utf8',
    logLevel: 'warning',
  })
  for (const entry of Object.values(ENTRIES))
    copyTypes(join(ROOT, 'dist', `${entry}.d.ts`), join(directory, 'types'))
  copyFileSync(join(ROOT, 'LICENSE'), join(directory, 'LICENSE'))
  copyFileSync(join(ROOT, 'writer/README.md'), join(directory, 'README.md'))
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`)
}

function manifest() {
  const { version, license, author, type, engines, homepage, bugs, repository, publishConfig, keywords } =
    JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const entry = (code, types) => ({ types: `./types/${types}.d.ts`, default: `./${code}.js` })
  return {
    name: 'request-journal-writer',
    version,
    description:
      'The part of request-journal that programs write with: openJournal, begin, loggedFetch. No dependencies.',
    keywords,
    homepage,
    bugs,
    repository: { ...repository, directory: 'writer' },
    author,
    license,
    type,
    sideEffects: false,
    engines,
    exports: {
      '.': entry('index', ENTRIES['.']),
      './fetch': entry('fetch', ENTRIES['./fetch']),
      './package.json': './package.json',
    },
    files: ['index.js', 'fetch.js', 'shared.js', 'types'],
    publishConfig,
  }
}

/** Copies a file of types, and those that it imports, without the links to maps that stay behind. */
function copyTypes(file, directory, copied = new Set()) {
  if (copied.has(file)) return
  copied.add(file)
  const text = readFileSync(file, 'utf8').replace(/^\/\/# sourceMappingURL=.*\n?/m, '')
  const target = join(directory, relative(join(ROOT, 'dist'), file))
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, text)
  for (const [, specifier] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
    copyTypes(resolve(dirname(file), specifier.replace(/\.js$/, '.d.ts')), directory, copied)
  }
}
