import { statSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidArgumentError } from 'commander'
import { note } from './output/standard-error.js'
import { printAnswer } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import type { JsonFlag, ProgramCommand } from './run/command.js'

export function addInit(program: ProgramCommand): void {
  program
    .command('init')
    .summary('make an empty journal')
    .description(
      'Makes the journal directory and its journal.json, for appenders of your own, which only write lines. ' +
        'Changes nothing if there is a journal already. With --mode the users of a group share the journal, ' +
        'whichever of them writes first: writers without a mode of their own give the group the permissions ' +
        'that it has on journal.json.',
    )
    .journalOption()
    .option(
      '--mode <octal>',
      'the permissions of files, from 600 to 777; 660 shares the journal with a group; 600 by default',
      parseMode,
    )
    .jsonOption()
    .examples(
      'request-journal init --journal /var/log/requests',
      'request-journal init --journal /var/lib/llm/journal --mode 660',
    )
    .action(init)
}

/** Parses permissions that let the owner read and write: `660`, `0660` or `0o660`. */
function parseMode(text: string): number {
  const mode = /^(0o)?0?[0-7]{3}$/.test(text) ? Number.parseInt(text.replace('0o', ''), 8) : 0
  if ((mode & 0o600) === 0o600) return mode
  throw new InvalidArgumentError('Expected permissions from 600 to 777 that let the owner read and write.')
}

async function init(flags: JsonFlag & { journal: string; mode?: number }): Promise<void> {
  const { IDENTITY_FILE, readOrCreateIdentity } = await import('../journal/journal-identity.js')
  const { resolveOptions } = await import('../journal/append/options.js')
  const { nodeFileSystem } = await import('../journal/file-system.js')
  // A first writer makes the same, and a segment besides.
  const { directory, fileMode, directoryMode } = resolveOptions({
    directory: flags.journal,
    mode: flags.mode,
  })
  const modes = { file: fileMode, directory: directoryMode }
  const { journal_id, created_at } = readOrCreateIdentity(directory, modes, Date.now(), nodeFileSystem)
  const { journal } = flags
  const found = statSync(join(directory, IDENTITY_FILE)).mode & 0o777
  if (flags.mode !== undefined && found !== fileMode) {
    const change = `chmod its files to ${octal(fileMode)} and the folder to ${octal(directoryMode)}`
    note(visible(`${journal} exists already, and keeps its mode ${octal(found)}: to change it, ${change}`))
  }
  printAnswer({ journal, journal_id, created_at }, flags, () =>
    visible(`${journal} is journal ${journal_id}, created ${created_at}`),
  )
}

function octal(mode: number): string {
  return mode.toString(8)
}
