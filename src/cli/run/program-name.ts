import { basename, delimiter, dirname } from 'node:path'
import { pathFrom, quoted } from '../../server/first-steps/shell.js'

const NAME = 'request-journal'

/**
 * How a command of this program begins, for people who type it where this process was started: the
 * program may run from a checkout, by npx, or be installed for all.
 *
 * @param script the path that the process was started by.
 * @param folder where it was started.
 * @param path the PATH of its environment.
 */
export function programName(
  script = process.argv[1] ?? '',
  folder = process.cwd(),
  path = process.env['PATH'] ?? '',
): string {
  // A bin of npm is a link, whose name stays.
  if (basename(script) !== NAME) {
    return script.endsWith('.js') ? `node ${quoted(pathFrom(folder, script))}` : NAME
  }
  const isOnPath = path.split(delimiter).includes(dirname(script))
  if (!isOnPath) return quoted(pathFrom(folder, script))
  // npx puts the folder on the PATH for this process alone.
  return dirname(script).endsWith('node_modules/.bin') ? `npx ${NAME}` : NAME
}
