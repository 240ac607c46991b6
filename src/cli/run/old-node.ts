import { CommandFailure } from './failure.js'

/** As `engines` in package.json, which npm only warns of. */
const OLDEST = [20, 19] as const

/**
 * Refuses a Node.js in which some commands work, and others end with a syntax error that seems to
 * be a bug: Debian 12 has such a one.
 *
 * @throws CommandFailure
 */
export function refuseOldNode(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return
  throw new CommandFailure(
    `this is Node.js ${version}, and request-journal needs ${OLDEST.join('.')} or later: install that, from nodejs.org or NodeSource`,
  )
}
