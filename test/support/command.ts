import { CommanderError } from 'commander'
import { vi } from 'vitest'
import { note, standardError } from '../../src/cli/output/standard-error.js'
import { createProgram } from '../../src/cli/program.js'
import { describeFailure, exitCodeOf } from '../../src/cli/run/failure.js'
import { type Outcome, parseLast } from './program.js'

/**
 * Runs a command to its end in this process: what `run` gives, without a start of the program. For commands that read no
 * stdin and wait for no signal.
 *
 * @param environment variables that it has beside those of this process.
 */
export async function runHere(args: string[], environment: Record<string, string> = {}): Promise<Outcome> {
  const outputs = { stdout: '', stderr: '' }
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      outputs.stdout += text
      return true
    }),
    vi.spyOn(standardError, 'write').mockImplementation((text) => {
      outputs.stderr += text
    }),
  ]
  try {
    const status = await statusOf(args)
    return { status, ...outputs, json: parseLast(outputs.stdout) }
  } finally {
    for (const spy of spies) spy.mockRestore()
    vi.unstubAllEnvs()
  }
}

/** As `src/cli/main.ts` does it. */
async function statusOf(args: string[]): Promise<number> {
  try {
    const program = await createProgram(args[0])
    await program.parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    note(describeFailure(error))
    return exitCodeOf(error)
  } finally {
    process.exitCode = undefined
  }
}
