import type { CommonFlags, ProgramCommand } from './run/command.js'

export function addAppend(program: ProgramCommand): void {
  program
    .command('append')
    .summary('append events from stdin')
    .description(
      'Reads events from stdin, one JSON object per line, and appends each to the journal as it arrives. ' +
        'Creates the journal if there is none. Also takes what `export` writes: a completed stream becomes ' +
        'two events. A bad line is reported on stderr with its number and the reason, the other lines are ' +
        'appended, and the exit code is 1. When it exits, everything it has appended survives a power cut. At ' +
        'SIGINT or SIGTERM it appends the whole lines that are already in a pipe, and ends.',
    )
    .journalOption()
    .jsonOption()
    .examples(
      `echo '{"model":"gpt-4o","latency_ms":812,"success":true}' | request-journal append`,
      'request-journal append --journal /var/log/requests < events.ndjson',
    )
    .action(async (flags: Pick<CommonFlags, 'journal' | 'json'>) => {
      const { appendStdin } = await import('./run/append-stdin.js')
      await appendStdin(flags)
    })
}
