import { createReadStream, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommanderError } from 'commander'
import { vi } from 'vitest'
import { note, standardError } from '../../src/cli/output/standard-error.js'
import { createProgram } from '../../src/cli/program.js'
import { describeFailure, exitCodeOf } from '../../src/cli/run/failure.js'
import { type Outcome, parseLast } from './program.js'

/**
 * Runs a command to its end in this process: what `run` gives, without a start of the program. For commands that wait for
 * no signal.
 *
 * @param environment variables that it has beside those of this process.
 * @param input what it reads from stdin, if it does.
 */
export async function runHere(
  args: string[],
  environment: Record<string, string> = {},
  input: string | null = null,
): Promise<Outcome> {
  const outputs = { stdout: '', stderr: '' }
  const listeners = SIGNALS.map((signal) => process.listeners(signal))
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
  const stdin = input === null ? null : vi.spyOn(process, 'stdin', 'get').mockReturnValue(stdinWith(input))
  try {
    const status = await statusOf(args)
    return { status, ...outputs, json: parseLast(outputs.stdout) }
  } finally {
    for (const spy of spies) spy.mockRestore()
    stdin?.mockRestore()
    vi.unstubAllEnvs()
    // What waits for a signal would keep this process from ending by one.
    for (const [index, signal] of SIGNALS.entries()) {
      const added = process.listeners(signal).filter((listener) => !listeners[index]?.includes(listener))
      for (const listener of added) process.off(signal, listener)
    }
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A file that stdin is redirected from; it has no name any more. */
function stdinWith(input: string): typeof process.stdin {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-stdin-'))
  const path = join(folder, 'stdin')
  writeFileSync(path, input)
  const fd = openSync(path, 'r')
  rmSync(folder, { recursive: true })
  return createReadStream(path, { fd }) as unknown as typeof process.stdin
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
