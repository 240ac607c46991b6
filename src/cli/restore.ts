import type { Command } from 'commander'
import { countText } from '../maintenance/count-text.js'
import type { RestoreOptions } from '../maintenance/restore/restore.js'
import { isPostgresAddress } from '../store/postgres/connection/address.js'
import { formatBytes } from './output/format.js'
import { withProgressLine } from './output/progress.js'
import { printAnswer } from './output/standard-output.js'
import { visible } from './output/terminal.js'
import type { JsonFlag, ProgramCommand } from './run/command.js'
import { parseDatabase, parseS3 } from './run/options.js'

export function addRestore(program: ProgramCommand): void {
  program
    .command('restore')
    .summary('restore the journal of a host that has lost it')
    .description(
      'Restores a journal, byte for byte, for a host that has lost its disk: from a PostgreSQL database ' +
        'that holds its lines, from the object store that `ship` has sent its segments to, or from both, ' +
        'where each supplies what the other lacks. The directory must be empty or not exist yet, and no ' +
        'projector may be running for the journal. Archived segments become plain ones again. Lines that had ' +
        'not been projected when the disk was lost are lost; an object store alone has only the segments of ' +
        'days that are over. Afterwards `verify` and `project` work as before. The exit code is 1 if bytes ' +
        'that were sealed are in none of them.',
    )
    .journalOption()
    .settingOption('--db <address>', 'the database: postgres://user@host/database', parseDatabase)
    .schemaOption()
    .option('--from <address>', 'where `ship` has sent the journal to: s3://bucket/prefix', parseS3)
    .requiredOption('--journal-id <id>', 'the id of the journal, as in the table journals or in journal.json')
    .jsonOption()
    .examples(
      'request-journal restore --db postgres://projector@db.example/requests --journal-id 0b7f… --journal /var/log/requests',
      'request-journal restore --from s3://logs/journals --journal-id 0b7f… --journal /var/log/requests',
    )
    .action(runRestore)
}

async function runRestore(flags: RestoreOptions & JsonFlag, command: Command): Promise<void> {
  const { journal, from } = flags
  // The environment may name a file, which is meant for other commands.
  const isMeant = flags.database !== undefined && (isPostgresAddress(flags.database) || from === undefined)
  const database = isMeant || command.getOptionValueSource('database') === 'cli' ? flags.database : undefined
  if (database === undefined && from === undefined) {
    command.error("error: expected option '--db <address>', '--from <address>' or both, found neither")
  }
  const { restore } = await import('../maintenance/restore/restore.js')
  const result = await withProgressLine((line) =>
    restore({
      ...flags,
      database,
      onProgress: ({ segment, bytes }) => line.show(() => `restoring ${segment}: ${formatBytes(bytes)}`),
    }),
  )
  printAnswer(result, flags, ({ segments, bytes, missing }) =>
    [
      visible(`${countText(segments, 'segment')} restored into ${journal}: ${formatBytes(bytes)}`),
      ...missing.map(
        ({ segment, from }) =>
          `${segment} was sealed, but is in none of them from byte ${from} on: bring it back from a backup`,
      ),
    ].join('\n'),
  )
  if (result.missing.length > 0) process.exitCode = 1
}
