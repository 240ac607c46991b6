import type { CommonFlags, ProgramCommand } from './run/command.js'

export function addAppend(program: ProgramCommand): void {
  program
    .command('append')
    .summary('append events from stdin')
    .description(
      'Reads events from stdin, one JSON object a line, and appends each to the journal as it arrives; takes ' +
        'what `export` writes as well, where a completed stream becomes two events; ' +
        'creates the journal if there is none. A bad line is named on stderr by number and reason, the ' +
        'rest is appended, and the exit code is 1. When it exits, everything it has appended survives a power ' +
        'cut. At SIGINT or SIGTERM it appends the whole lines that a pipe still holds, and ends.',
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
