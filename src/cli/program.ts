import { VERSION } from '../package/package-files.js'
import { standardError } from './output/standard-error.js'
import { visible } from './output/terminal.js'
import { ProgramCommand } from './run/command.js'

const HELP_WIDTH = 80

/** Each command by its name, in the order of the help. */
const COMMANDS: Record<string, () => Promise<(program: ProgramCommand) => void>> = {
  init: async () => (await import('./init.js')).addInit,
  append: async () => (await import('./append.js')).addAppend,
  project: async () => (await import('./project.js')).addProject,
  migrate: async () => (await import('./migrate.js')).addMigrate,
  replay: async () => (await import('./replay.js')).addReplay,
  ship: async () => (await import('./ship.js')).addShip,
  restore: async () => (await import('./restore.js')).addRestore,
  verify: async () => (await import('./verify.js')).addVerify,
  doctor: async () => (await import('./doctor.js')).addDoctor,
  status: async () => (await import('./status.js')).addStatus,
  rejected: async () => (await import('./rejected.js')).addRejected,
  stats: async () => (await import('./stats.js')).addStats,
  reconcile: async () => (await import('./costs/reconcile.js')).addReconcile,
  requests: async () => (await import('./requests.js')).addRequests,
  show: async () => (await import('./show.js')).addShow,
  export: async () => (await import('./export.js')).addExport,
  import: async () => (await import('./import.js')).addImport,
  prices: async () => (await import('./costs/prices.js')).addPrices,
  reprice: async () => (await import('./costs/reprice.js')).addReprice,
  rates: async () => (await import('./costs/rates.js')).addRates,
  serve: async () => (await import('./serve.js')).addServe,
  proxy: async () => (await import('./proxy.js')).addProxy,
  archive: async () => (await import('./archive.js')).addArchive,
  prune: async () => (await import('./prune.js')).addPrune,
  redate: async () => (await import('./redate.js')).addRedate,
  completion: async () => {
    const { addCompletion } = await import('./completion.js')
    return (program) => addCompletion(program, createProgram)
  },
  demo: async () => (await import('./demo.js')).addDemo,
}

/**
 * Makes the program with its commands and their options. The modules of commands import nothing
 * heavy: each action loads what it needs, so that `append` loads neither SQLite nor chokidar.
 *
 * @param name the only command that will be run: the others aren't loaded, since that takes longer
 *   than many commands do. Any other text loads all commands, which help and suggestions need.
 */
export async function createProgram(name = ''): Promise<ProgramCommand> {
  const isVersionAsked = name === '-V' || name === '--version'
  const program = new ProgramCommand('request-journal')
    .description(
      'Event-sourced request log for LLM gateways: callers append events to a journal of NDJSON files, ' +
        'a projector follows it into a database, SQLite or PostgreSQL, and people query that.',
    )
    .version(isVersionAsked ? await versionText() : VERSION)
    .exitOverride()
    .configureOutput({
      writeErr: (text) => standardError.write(text),
      // A message repeats what was typed, or what the environment has.
      outputError: (text, write) => write(text.split('\n').map(visible).join('\n')),
      getOutHelpWidth: () => helpWidth(process.stdout),
      getErrHelpWidth: () => helpWidth(process.stderr),
    })
    .showHelpAfterError('(see --help)')
    .addHelpText(
      'after',
      `
Options override the environment, which overrides the defaults. Data goes to
stdout, logs and progress to stderr. Times are UTC. Exit code 0: done;
1: failed, or done and something is wrong; 2: wrong use.

Begin with:
  $ request-journal demo
  $ echo '{"model":"gpt-4o","latency_ms":812,"success":true}' |
      request-journal append
  $ request-journal project --once
  $ request-journal stats`,
    )
  const wanted = Object.hasOwn(COMMANDS, name) ? [COMMANDS[name]] : Object.values(COMMANDS)
  const adders = await Promise.all(wanted.map((load) => load?.()))
  for (const add of adders) add?.(program)
  return program
}

/** `0.1.0 (SQLite 3.53.2)`: also shows whether the database's driver can be loaded. */
async function versionText(): Promise<string> {
  const { sqliteVersion } = await import('../store/sqlite/connection/driver.js')
  const version = sqliteVersion()
  return `${VERSION} (${version === null ? 'SQLite can’t be loaded: `request-journal doctor` says why' : `SQLite ${version}`})`
}

/** Help is read like a page: longer lines than this are hard to follow. */
function helpWidth({ columns = HELP_WIDTH }: { columns?: number }): number {
  return Math.min(columns || HELP_WIDTH, HELP_WIDTH)
}
