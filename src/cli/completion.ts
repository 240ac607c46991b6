import { Argument } from 'commander'
import { print } from './output/standard-output.js'
import type { ProgramCommand } from './run/command.js'

type Shell = 'bash' | 'zsh' | 'fish'

/** @param wholeProgram makes the program with all commands. */
export function addCompletion(program: ProgramCommand, wholeProgram: () => Promise<ProgramCommand>): void {
  program
    .command('completion')
    .summary('a script that completes commands in a shell')
    .description(
      'Writes a script with which a shell completes commands, options and their values. For bash, add ' +
        '`source <(request-journal completion bash)` to ~/.bashrc; for zsh, `source <(request-journal ' +
        'completion zsh)` to ~/.zshrc, after compinit; for fish, write it to ' +
        '~/.config/fish/completions/request-journal.fish.',
    )
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .examples('source <(request-journal completion bash)')
    .action(async (shell: Shell) => {
      const { completedCommands } = await import('./completion/completed-commands.js')
      print((await writerFor(shell))(completedCommands(await wholeProgram())).trimEnd())
    })
}

async function writerFor(shell: Shell) {
  switch (shell) {
    case 'bash':
      return (await import('./completion/bash.js')).bashCompletion
    case 'zsh':
      return (await import('./completion/zsh.js')).zshCompletion
    case 'fish':
      return (await import('./completion/fish.js')).fishCompletion
  }
}
