#!/usr/bin/env node
import { CommanderError } from 'commander'
import { endProcess, note, watchOutput } from './output/output.js'
import { createProgram } from './program.js'
import { describeFailure, exitCodeOf } from './run/failure.js'

watchOutput()
try {
  await createProgram().parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed it; what it ends with 0 is help and version that were asked for.
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else {
    note(describeFailure(error))
    process.exitCode = exitCodeOf(error)
  }
}
endProcess()
