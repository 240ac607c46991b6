import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Tests of real processes run what users run: dist is built once before all of them. */
export default function build(): void {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' })
}
