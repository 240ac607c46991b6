import { Option } from 'commander'
import { countText } from '../maintenance/count-text.js'
import { formatBytes } from './output/format.js'
import { withProgressLine } from './output/progress.js'
import { printAnswer } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import type { ProgramCommand } from './run/command.js'
import { parseDatabase } from './run/options.js'

interface RestoreFlags {
  journal: string
  db: string
  schema: string
  journalId: string
  json?: true
}

export function addRestore(program: ProgramCommand): void {
  program
    .command('restore')
    .summary('give a host its lost journal back')
    .description(
      'Writes a journal anew, byte for byte, from a PostgreSQL database that holds its lines: for a host that has lost ' +
        'its disk. The directory must not exist or be empty, and no projector may be at work on the journal. Archived ' +
        'segments become plain ones again. Lines that had not been projected when the disk was lost are lost. ' +
        'Afterwards `verify` and `project` go on as before.',
    )
    .journalOption()
    .addOption(
      new Option('--db <address>', 'the database: postgres://user@host/database')
        .env('REQUEST_JOURNAL_DB')
        .makeOptionMandatory()
        .argParser(parseDatabase),
    )
    .schemaOption()
    .requiredOption('--journal-id <id>', 'the id of the journal, as the table journals has it')
    .jsonOption()
    .examples(
      'request-journal restore --db postgres://projector@db.example/requests --journal-id 0b7f… --journal /var/log/requests',
    )
    .action(runRestore)
}

async function runRestore(flags: RestoreFlags): Promise<void> {
  const { restore } = await import('../maintenance/restore/restore.js')
  const { journal, db: database, schema, journalId } = flags
  const result = await withProgressLine((line) =>
    restore({
      ...{ journal, database, schema, journalId },
      onProgress: ({ segment, bytes }) => line.show(() => `restoring ${segment}: ${formatBytes(bytes)}`),
    }),
  )
  printAnswer(result, flags, ({ segments, bytes }) =>
    visible(`${countText(segments, 'segment')} restored into ${journal}: ${formatBytes(bytes)}`),
  )
}
