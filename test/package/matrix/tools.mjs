import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Runs a command to its end, and gives what it printed. @throws Error with all of that if it fails. */
export function run(command, args, { cwd, env = {}, timeoutMs = 600_000 } = {}) {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 27,
    timeout: timeoutMs,
  })
  if (status === 0) return stdout
  throw new Error(
    `${[command, ...args].join(' ')} in ${cwd} ended with ${error?.message ?? signal ?? status}:\n${stdout}${stderr}`,
  )
}

export function writeFile(file, text) {
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, text)
}

const npmCli = () => process.env.npm_execpath ?? realpathSync(run('which', ['npm']).trim())

/** Where the programs that the matrix needs are installed once, and found again by the next run. */
export class Tools {
  #directory

  constructor(directory) {
    this.#directory = directory
  }

  /** The folder of a package of npm's registry, installed with what it needs. */
  folderOf(name, range, ...args) {
    const directory = join(this.#directory, 'tools', `${name}-${range}`.replaceAll(/[^\w.-]/g, '_'))
    const folder = join(directory, 'node_modules', name)
    if (!existsSync(join(folder, 'package.json'))) {
      writeFile(join(directory, 'package.json'), '{"private":true,"allowScripts":{"bun":true,"deno":true}}')
      run(process.execPath, [npmCli(), 'install', '--no-save', ...args, `${name}@${range}`], {
        cwd: directory,
      })
    }
    return folder
  }

  /** The newest Node.js of a major version. Beside the program it has the headers that addons are compiled with. */
  node(major) {
    const folder = this.folderOf(`node-${process.platform}-${process.arch}`, `^${major}`)
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return { major, version, folder, program: join(folder, 'bin/node') }
  }

  /** What a package manager is started with, on a Node.js. */
  manager(name, { major }) {
    if (name === 'npm') return { name, version: versionOf(join(npmCli(), '../..')), script: npmCli() }
    const [pack, range, script] = {
      // 11 and later don't start on Node.js 20.
      pnpm: ['pnpm', major === 20 ? '^10' : 'latest', 'bin/pnpm.cjs'],
      yarn: ['yarn', '^1', 'bin/yarn.js'],
      'yarn with Plug’n’Play': ['@yarnpkg/cli-dist', '^4', 'bin/yarn.js'],
    }[name]
    const folder = this.folderOf(pack, range)
    const scripts = [script, script.replace(/cjs$/, 'mjs')].map((file) => join(folder, file))
    return { name, version: versionOf(folder), script: scripts.find((file) => existsSync(file)) }
  }
}

export function versionOf(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version
}

/** The environment of a program that finds this Node.js first, and compiles addons for it. */
export function environmentOf({ folder }) {
  return {
    PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
    npm_config_nodedir: folder,
    // What `npm run` sets for its own Node.js.
    NODE: join(folder, 'bin/node'),
    npm_node_execpath: join(folder, 'bin/node'),
    NODE_OPTIONS: '',
  }
}
