import { VERSION } from '../package/package-files.js'
import { addAppend } from './append.js'
import { addArchive } from './archive.js'
import { addPrices } from './costs/prices.js'
import { addRates } from './costs/rates.js'
import { addReconcile } from './costs/reconcile.js'
import { addReprice } from './costs/reprice.js'
import { addDemo } from './demo.js'
import { addDoctor } from './doctor.js'
import { addExport } from './export.js'
import { addInit } from './init.js'
import { standardError } from './output/standard-error.js'
import { addProject } from './project.js'
import { addPrune } from './prune.js'
import { addRedate } from './redate.js'
import { addRejected } from './rejected.js'
import { addReplay } from './replay.js'
import { addRequests } from './requests.js'
import { ProgramCommand } from './run/command.js'
import { addServe } from './serve.js'
import { addShow } from './show.js'
import { addStats } from './stats.js'
import { addStatus } from './status.js'
import { addVerify } from './verify.js'

/**
 * Makes the program with every command and its options. These modules import nothing heavy: each
 * action loads what it needs, so that `append` loads neither SQLite nor chokidar.
 */
export function createProgram(): ProgramCommand {
  const program = new ProgramCommand('request-journal')
    .description(
      'Event-sourced request log for LLM gateways: callers append events to a journal of NDJSON files, ' +
        'a projector follows it into an SQLite database, and people ask that database.',
    )
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeErr: (text) => standardError.write(text) })
    .showHelpAfterError('(see --help)')
    .addHelpText(
      'after',
      `
Options override the environment, which overrides the defaults. Data goes to stdout, logs and progress to
stderr. Times are UTC. Exit code 0: done; 1: failed, or done and something is wrong; 2: wrong use.

Begin with:
  $ request-journal demo
  $ echo '{"model":"gpt-4o","latency_ms":812,"success":true}' | request-journal append
  $ request-journal project --once
  $ request-journal stats`,
    )
  addInit(program)
  addAppend(program)
  addProject(program)
  addReplay(program)
  addVerify(program)
  addDoctor(program)
  addStatus(program)
  addRejected(program)
  addStats(program)
  addReconcile(program)
  addRequests(program)
  addShow(program)
  addExport(program)
  addPrices(program)
  addReprice(program)
  addRates(program)
  addServe(program)
  addArchive(program)
  addPrune(program)
  addRedate(program)
  addDemo(program)
  return program
}
