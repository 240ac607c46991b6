import { spawnSync } from 'node:child_process'

/** Prometheus' own judge of pages and rules. It isn't installed everywhere. */
export const hasPromtool = spawnSync('promtool', ['--version']).status === 0
if (!hasPromtool) console.warn('Tests with promtool are skipped: install it (Debian: prometheus) to run them')

/** Runs promtool to its end; output is what it says on stdout and stderr. */
export function promtool(args: string[], input = ''): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}
