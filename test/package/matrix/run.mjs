// npm run test:package [-- --node 20,24] [--keep] [--write]
// Installs the packed packages in empty folders, on every Node.js that is supported and by every package manager, and tries what
// people do with them. Prints the tables of docs/compatibility.md, or writes them there; exits with 1 if anything failed.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { buildWriter } from '../../../writer/build.mjs'
import { App } from './app.mjs'
import { programText, typedText } from './programs.mjs'
import { run, Tools, versionOf, writeFile } from './tools.mjs'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PAGE = join(ROOT, 'docs/compatibility.md')
const USAGE = 'Usage: npm run test:package -- [--node 20,24] [--tools FOLDER] [--keep] [--write]\n'
const MAJORS = [20, 22, 24, 26]
const MANAGERS = ['npm', 'pnpm', 'yarn', 'yarn with Plug’n’Play']

let options
try {
  options = parseArgs({
    options: {
      node: { type: 'string', default: MAJORS.join() },
      tools: { type: 'string', default: join(tmpdir(), 'request-journal-package') },
      keep: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  }).values
} catch (error) {
  process.stderr.write(`${error.message}\n${USAGE}`)
  process.exit(2)
}

// Whoever else works on this machine comes first.
setPriority(15)
const tools = new Tools(options.tools)
const addons = join(options.tools, 'addons')
const directory = mkdtempSync(join(tmpdir(), 'request-journal-matrix-'))
const failures = []

/** Runs one step; what it throws is told at the end. @returns the cell of the table */
async function cell(what, act) {
  try {
    await act()
    process.stderr.write(`ok      ${what}\n`)
    return 'yes'
  } catch (error) {
    process.stderr.write(`FAILED  ${what}\n${error.stack ?? error}\n`)
    failures.push(what)
    return 'no'
  }
}

function table(head, rows) {
  const lines = [head, head.map(() => '---'), ...rows]
  return lines.map((row) => `| ${row.join(' | ')} |`).join('\n')
}

/** Packs both packages. @returns their tarballs, by name */
async function packBoth() {
  const pack = (folder) =>
    join(
      directory,
      run('npm', ['pack', folder, '--silent', '--ignore-scripts', '--pack-destination', directory]).trim(),
    )
  const writer = join(directory, 'writer')
  await buildWriter(writer)
  return { 'request-journal': pack(ROOT), 'request-journal-writer': pack(writer) }
}

async function withEsbuild(app, file, format) {
  const outfile = `esbuild-${file.replace(/\.\w+$/, format === 'cjs' ? '.cjs' : '.mjs')}`
  await build({
    absWorkingDir: app.directory,
    entryPoints: [file],
    outfile,
    bundle: true,
    platform: 'node',
    format,
    external: ['better-sqlite3'],
    logLevel: 'silent',
    // CommonJS in a bundle of ES modules asks for this.
    banner:
      format === 'esm'
        ? { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url)" }
        : {},
  })
  app.runFile(outfile)
}

async function withRollup(app, file) {
  const plugins = ['node-resolve', 'commonjs', 'json'].map((name) => `@rollup/plugin-${name}`)
  const folder = tools.folderOf('rollup', '^4', ...plugins)
  const { rollup } = await import(join(folder, 'dist/rollup.js'))
  const made = await Promise.all(plugins.map((name) => import(join(folder, '..', name, 'dist/es/index.js'))))
  const [resolve, commonjs, json] = made.map((module) => module.default)
  const bundle = await rollup({
    input: join(app.directory, file),
    // Rollup loads at once what undici loads when it needs it: node:sqlite, which Node.js 20 lacks.
    external: ['better-sqlite3', ...(app.node.major === 20 ? ['undici'] : [])],
    plugins: [resolve({ preferBuiltins: true, exportConditions: ['node'] }), commonjs(), json()],
    onLog: () => {},
  })
  await bundle.write({
    file: join(app.directory, `rollup-${file}`),
    format: 'es',
    inlineDynamicImports: true,
  })
  await bundle.close()
  app.runFile(`rollup-${file}`)
}

async function tryPrograms(app, label, name) {
  for (const format of ['esm', 'cjs']) {
    writeFile(join(app.directory, `app.${format === 'esm' ? 'mjs' : 'cjs'}`), programText({ format, name }))
  }
  const isPlugged = label.includes('Plug')
  return [
    await cell(`${label}, import`, () => app.runFile('app.mjs')),
    await cell(`${label}, require`, () => app.runFile('app.cjs')),
    isPlugged ? '–' : await cell(`${label}, esbuild as ESM`, () => withEsbuild(app, 'app.mjs', 'esm')),
    isPlugged ? '–' : await cell(`${label}, esbuild as CommonJS`, () => withEsbuild(app, 'app.mjs', 'cjs')),
    isPlugged ? '–' : await cell(`${label}, Rollup`, () => withRollup(app, 'app.mjs')),
  ]
}

function tryCommand(app) {
  const version = app.runCommand('--version').trim()
  if (!version.includes(versionOf(ROOT))) throw new Error(`--version printed ${version}`)
  app.runCommand('init', '--journal', 'journal')
  app.runCommand('project', '--once', '--journal', 'journal', '--db', 'requests.db')
  app.runCommand('stats', '--db', 'requests.db', '--json')
}

async function tryTypes(app, name) {
  const rows = []
  for (const range of ['~5.9', '^7']) {
    const folder = tools.folderOf('typescript', range)
    const row = [`TypeScript ${versionOf(folder)}`]
    for (const [module, resolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ]) {
      writeFile(join(app.directory, 'types.ts'), typedText(name))
      const compilerOptions = {
        module,
        moduleResolution: resolution,
        target: 'es2023',
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        types: ['node'],
      }
      const config = JSON.stringify({ compilerOptions, files: ['types.ts'] })
      writeFile(join(app.directory, 'tsconfig.json'), config)
      const compile = () =>
        run(process.execPath, [join(folder, 'bin/tsc'), '-p', '.'], { cwd: app.directory })
      row.push(await cell(`${name}, ${row[0]}, ${resolution}`, compile))
    }
    rows.push([`\`${name}\``, ...row])
  }
  return rows
}

async function tryRuntimes(app, name) {
  const rows = []
  writeFile(join(app.directory, 'writes.mjs'), programText({ format: 'esm', name, onlyWrites: true }))
  for (const [runtime, args] of [
    ['bun', ['run']],
    ['deno', ['run', '--allow-all', '--quiet']],
  ]) {
    const folder = tools.folderOf(runtime, 'latest')
    const program = join(folder, '../.bin', runtime)
    const cells = await cell(`${name}, ${runtime}`, () =>
      run(program, [...args, 'writes.mjs'], { cwd: app.directory, timeoutMs: 60_000 }),
    )
    rows.push([`\`${name}\``, `${runtime === 'bun' ? 'Bun' : 'Deno'} ${versionOf(folder)}`, cells])
  }
  return rows
}

const majors = options.node.split(',').map(Number)
const tables = { programs: [], types: [], runtimes: [] }
try {
  const tarballs = await packBoth()
  for (const major of majors) {
    const node = tools.node(major)
    // One long-term version, and the oldest, are tried by every manager that compiles nothing anew for it.
    const managers = { 20: MANAGERS.slice(0, 3), 24: MANAGERS }[major] ?? ['npm']
    for (const name of managers) {
      const manager = tools.manager(name, node)
      const label = `Node.js ${node.version}, ${name} ${manager.version}`
      const app = new App(join(directory, `${major}-${MANAGERS.indexOf(name)}`), node, manager)
      const packages = [
        ...Object.entries(tarballs).map(([pack, file]) => [pack, `file:${file}`]),
        ['@types/node', `^${major}`],
        ...(major === 20 ? [['undici', '^7']] : []),
      ]
      const installed = await cell(`${label}, install`, () => app.install(packages, addons))
      const head = [`Node.js ${node.version}`, `${name} ${manager.version}`]
      if (installed === 'no') {
        tables.programs.push([...head, 'no', '', '', '', '', '', ''])
        continue
      }
      const cells = await tryPrograms(app, label, 'request-journal')
      const command = await cell(`${label}, command`, () => tryCommand(app))
      const writer = await cell(`${label}, writer`, async () => {
        const text = programText({ format: 'esm', name: 'request-journal-writer' })
        writeFile(join(app.directory, 'writer.mjs'), text)
        app.runFile('writer.mjs')
        if (name.includes('Plug')) return
        await withEsbuild(app, 'writer.mjs', 'esm')
        await withRollup(app, 'writer.mjs')
      })
      const addon = name.includes('Plug') ? '' : app.sqliteVersion
      tables.programs.push([...head, addon, ...cells, command, writer])
      if (major === 24 && name === 'npm') {
        for (const pack of Object.keys(tarballs)) {
          tables.types.push(...(await tryTypes(app, pack)))
          tables.runtimes.push(...(await tryRuntimes(app, pack)))
        }
      }
    }
  }
} finally {
  if (options.keep) process.stderr.write(`kept in ${directory}\n`)
  else rmSync(directory, { recursive: true, force: true })
}

const text = [
  table(
    [
      '',
      'installed by',
      'better-sqlite3',
      'import',
      'require',
      'esbuild, ESM',
      'esbuild, CommonJS',
      'Rollup',
      'command',
      'writer',
    ],
    tables.programs,
  ),
  table(['package', '', 'NodeNext', 'bundler'], tables.types),
  table(['package', '', 'writes and logs calls'], tables.runtimes),
].join('\n\n')
if (options.write) {
  const page = readFileSync(PAGE, 'utf8')
  writeFileSync(
    PAGE,
    page.replace(/(<!-- matrix: .* -->\n)[\s\S]*?(<!-- end of matrix -->)/, `$1\n${text}\n\n$2`),
  )
}
process.stdout.write(`${text}\n`)
if (failures.length > 0) process.stderr.write(`failed: ${failures.join('; ')}\n`)
process.exitCode = failures.length > 0 ? 1 : 0
