#!/usr/bin/env node
import { CommanderError } from 'commander'
import { note } from './output/standard-error.js'
import { endProcess, watchOutput } from './output/standard-output.js'
import { createProgram } from './program.js'
import { describeFailure, exitCodeOf } from './run/failure.js'
import { refuseOldNode } from './run/old-node.js'

watchOutput()
try {
  refuseOldNode(process.versions.node)
  const program = await createProgram(process.argv[2])
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed the error. Its exit code is 0 after --help and --version.
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else {
    note(describeFailure(error))
    process.exitCode = exitCodeOf(error)
  }
}
endProcess()
