import type { Command } from 'commander'
import { print, printJson } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import { examples, journalOption, jsonOption } from './run/options.js'

export function addInit(program: Command): void {
  program
    .command('init')
    .summary('make an empty journal')
    .description(
      'Makes the journal directory and its journal.json, for appenders of your own that write only lines. Changes ' +
        'nothing if there is a journal already.',
    )
    .addOption(journalOption())
    .addOption(jsonOption())
    .addHelpText('after', examples('request-journal init --journal /var/log/requests'))
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
  if (flags.json) printJson({ journal: flags.journal, journal_id, created_at })
  else print(`${visible(flags.journal)} is journal ${visible(journal_id)}, created ${visible(created_at)}`)
}
