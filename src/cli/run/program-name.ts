import { basename, delimiter, dirname } from 'node:path'
import { pathFrom, quoted } from '../../server/first-steps/shell.js'

const NAME = 'request-journal'

/**
 * Returns how to call this program from where this process was started, for commands that people
 * copy: it may run from a checkout, through npx, or be installed globally.
 *
 * @param script the path that the process was started by.
 * @param folder the directory that it was started in.
 * @param path the PATH of its environment.
 */
export function programName(
  script = process.argv[1] ?? '',
  folder = process.cwd(),
  path = process.env['PATH'] ?? '',
): string {
  // npm starts the program through a link with this name.
  if (basename(script) !== NAME) {
    return script.endsWith('.js') ? `node ${quoted(pathFrom(folder, script))}` : NAME
  }
  const isOnPath = path.split(delimiter).includes(dirname(script))
  if (!isOnPath) return quoted(pathFrom(folder, script))
  // npx puts the folder on the PATH for this process alone.
  return dirname(script).endsWith('node_modules/.bin') ? `npx ${NAME}` : NAME
}
