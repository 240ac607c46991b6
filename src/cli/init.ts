import { printAnswer } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import type { ProgramCommand } from './run/command.js'

export function addInit(program: ProgramCommand): void {
  program
    .command('init')
    .summary('make an empty journal')
    .description(
      'Makes the journal directory and its journal.json, for appenders of your own that write only lines. Changes ' +
        'nothing if there is a journal already.',
    )
    .journalOption()
    .jsonOption()
    .examples('request-journal init --journal /var/log/requests')
    .action(init)
}

async function init(flags: { journal: string; json?: true }): Promise<void> {
  const { readOrCreateIdentity } = await import('../journal/identity.js')
  const { resolveOptions } = await import('../journal/append/options.js')
  const { nodeFileSystem } = await import('../journal/files.js')
  // Made like the journal of a first writer, but without a segment.
  const { directory, fileMode, directoryMode } = resolveOptions({ directory: flags.journal })
  const modes = { file: fileMode, directory: directoryMode }
  const { journal_id, created_at } = readOrCreateIdentity(directory, modes, Date.now(), nodeFileSystem)
  const { journal } = flags
  printAnswer({ journal, journal_id, created_at }, flags, () =>
    visible(`${journal} is journal ${journal_id}, created ${created_at}`),
  )
}
