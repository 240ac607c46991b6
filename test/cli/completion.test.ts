import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { completedCommands } from '../../src/cli/completion/completed-commands.js'
import { createProgram } from '../../src/cli/program.js'
import { runHere } from '../support/command.js'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]
const isThere = (shell: Shell) => spawnSync(shell, ['--version']).status === 0

/** Writes the script of a shell into a folder with a file and a folder to complete. */
async function scriptIn(shell: Shell): Promise<{ folder: string; script: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-completion-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { stdout } = await runHere(['completion', shell])
  const script = join(folder, `complete.${shell}`)
  writeFileSync(script, stdout)
  return { folder, script }
}

/** Prints what bash offers for the last of these words. */
const ASK_BASH = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _request_journal
  printf '%s\\n' "\${COMPREPLY[@]}"`

/**
 * Presses Tab in an interactive zsh, and prints what it shows. Nothing is waited for behind a key
 * that begins the names of others, as ^X does.
 */
const ASK_ZSH = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1= ; KEYTIMEOUT=1; stty columns 200; autoload -U compinit; compinit -u -D; source $1; bindkey '^I' complete-word"
zpty -w z 'said() { print -r AN"SWERED" }; zle -N said; bindkey "^X" said; print RE"ADY"'
zpty -r z text '*READY*'
zpty -n -w z "$2"$'\\t\\t\\x18'
zpty -r z text '*ANSWERED*'
print -r -- $text
zpty -d z
`

function offeredBy(shell: Shell, script: string, folder: string, line: string): string {
  const args = {
    bash: ['--norc', '-c', ASK_BASH, 'bash', script, ...line.split(' ')],
    zsh: ['-f', '-c', ASK_ZSH, 'zsh', script, line],
    fish: ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', script, line],
  }[shell]
  const { stdout, stderr } = spawnSync(shell, args, { cwd: folder, encoding: 'utf8' })
  return stdout + stderr
}

const OFFERED: [line: string, offered: RegExp, notOffered?: RegExp][] = [
  ['re', /replay[\s\S]*reprice/, /stats/],
  ['stats --gro', /group-by/, /--range/],
  ['stats --model init --group-by ', /service_tier/],
  ['prices import --from ', /genai-prices/],
  ['prices import --from csv comp', /complete\.\w+sh/],
  ['stats --model ', /^/, /complete\./],
  ['help do', /doctor/],
]

describe.each(SHELLS)('%s', (shell) => {
  test.skipIf(!isThere(shell)).each(OFFERED)(
    'offers after "%s" what belongs there',
    async (line, offered, notOffered) => {
      const { folder, script } = await scriptIn(shell)
      const found = offeredBy(shell, script, folder, `request-journal ${line}`)
      expect(found).toMatch(offered)
      if (notOffered !== undefined) expect(found).not.toMatch(notOffered)
    },
  )
})

test('bash offers values of an option with an equals sign', async () => {
  const { folder, script } = await scriptIn('bash')
  expect(offeredBy('bash', script, folder, 'request-journal requests --sort = cost')).toBe(
    'cost\ncost_sats\ncost_usd\n',
  )
})

test('every command and option of the help is in each script', async () => {
  const commands = completedCommands(await createProgram())
  const names = commands.flatMap(({ path, options }) => [
    path.split(' ').at(-1) ?? '',
    ...options.map(({ long }) => long?.slice(2) ?? ''),
  ])
  expect(names).toContain('unpriced')
  expect(names).toContain('min-latency')
  for (const shell of SHELLS) {
    const { stdout } = await runHere(['completion', shell])
    expect(
      names.filter((name) => !stdout.includes(name)),
      shell,
    ).toEqual([])
  }
})

test('an option takes a value in every command that has it, or in none', async () => {
  const arity = new Map<string, string>()
  for (const { path, options } of completedCommands(await createProgram())) {
    for (const { long, takesValue } of options) {
      const isTaken = String(takesValue === 'always')
      expect(arity.get(long ?? '') ?? isTaken, `${path} ${long}`).toBe(isTaken)
      arity.set(long ?? '', isTaken)
    }
  }
})

test('no line of a help is longer than 80 columns', async () => {
  for (const { path } of completedCommands(await createProgram())) {
    if (path.endsWith('help')) continue
    const { stdout } = await runHere([...path.split(' ').filter((word) => word !== ''), '--help'])
    const long = stdout.split('\n').filter((line) => line.length > 80)
    expect(long, path).toEqual([])
  }
})
