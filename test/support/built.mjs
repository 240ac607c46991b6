// node test/support/built.mjs start|end
// The first and the last step of `npm run build`, which note of what dist was built, so that tests needn't build it again.
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What a build reads: the sources, how they are compiled, and which compilers and packages are installed. */
const INPUTS = [
  'src',
  'migrations',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
]
const INSTALLED = 'node_modules/.package-lock.json'
const OUTPUTS = ['dist']

/** Outside dist, which is packed as it is; `npm ci` takes it away with all of node_modules. */
const note = (root) => join(root, 'node_modules/.cache/request-journal/built.json')

/**
 * Whether dist is, byte for byte, what a whole build made of the sources as they are now. Contents
 * are compared, not times: a checkout or a copy may be older than what it replaces.
 */
export function isBuilt(root = ROOT) {
  try {
    const { inputs, outputs } = JSON.parse(readFileSync(note(root), 'utf8'))
    return inputs === hashOfInputs(root) && outputs === hashOf(root, OUTPUTS)
  } catch {
    // Nothing was built, a build has failed, or a part of it is gone: whatever it is, a build mends it.
    return false
  }
}

/** Takes away what was built before. */
export function startBuild(root = ROOT) {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  write(root, { inputs: hashOfInputs(root) })
}

/** If the build was whole. The note says nothing if a source was changed meanwhile: nobody knows what was read of it. */
export function endBuild(root = ROOT) {
  const { inputs } = JSON.parse(readFileSync(note(root), 'utf8'))
  if (inputs === hashOfInputs(root)) write(root, { inputs, outputs: hashOf(root, OUTPUTS) })
}

function write(root, text) {
  mkdirSync(dirname(note(root)), { recursive: true })
  writeFileSync(note(root), JSON.stringify(text))
}

function hashOfInputs(root) {
  return hashOf(root, [...INPUTS, INSTALLED])
}

/** Of names, contents and who may run it: a file that was added, removed or renamed counts, too. */
function hashOf(root, paths) {
  const hash = createHash('sha256')
  for (const path of paths.flatMap((path) => filesOf(join(root, path)))) {
    const bytes = readFileSync(path)
    const { mode } = statSync(path)
    hash.update(`${relative(root, path)}\0${mode & 0o111}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest('hex')
}

function filesOf(path) {
  try {
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
  } catch (error) {
    if (error.code === 'ENOTDIR') return [path]
    // Another package manager than npm leaves no list of what it has installed.
    if (error.code === 'ENOENT') return []
    throw error
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  if (argv[2] === 'start') startBuild()
  else if (argv[2] === 'end') {
    chmodSync(join(ROOT, 'dist/cli/main.js'), 0o755)
    endBuild()
  }
}
