import { type CompletedCommand, optionsWithValue, type Values } from './completed-commands.js'

const LONGER_PATH = `path="\${path:+$path }$word"`

/** Makes the script for bash 3.2 and later. It needs no other package. */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  return `# Completion of request-journal for bash: source <(request-journal completion bash)

_request_journal() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local word path= skip= offered= IFS=$' \\t\\n'
  # Bash makes three words of --name=value.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $word == = ]]; then
      skip=1
    elif [[ -n $skip ]]; then
      skip=
    else
      case $word in
${arms(optionsWithValue(commands), 'skip=1', 8)}
      esac
      case "$path $word" in
${arms(paths(commands), LONGER_PATH, 8)}
      esac
    fi
  done
  case "$path $prev" in
${valueArms(commands)}
  esac
  case $path in
${commands.map(commandArm).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$offered" -- "$cur"))
}

_request_journal_paths() {
  # Lets readline complete them, which knows how to quote.
  compopt -o "$2" 2>/dev/null && return
  local IFS=$'\\n'
  COMPREPLY=($(compgen "$3" -- "$1"))
}

complete -F _request_journal request-journal
`
}

/** Makes the patterns of the commands below others: `'prices import'`. */
function paths(commands: readonly CompletedCommand[]): string[] {
  return commands.flatMap(({ path, commands: below }) => below.map(({ name }) => `'${path} ${name}'`))
}

/** What is offered after each option that takes a value. */
function valueArms(commands: readonly CompletedCommand[]): string {
  const byReply = new Map<string, string[]>()
  for (const { path, options } of commands) {
    for (const { long, takesValue, values } of options) {
      if (takesValue === 'never' || (takesValue === 'maybe' && values === null)) continue
      const reply = replyOf(values)
      byReply.set(reply, [...(byReply.get(reply) ?? []), `'${path} ${long}'`])
    }
  }
  return [...byReply].map(([reply, patterns]) => arms(patterns, `${reply}\n      return`, 4)).join('\n')
}

function replyOf(values: Values): string {
  if (values === null) return 'COMPREPLY=()'
  if (values === 'files') return '_request_journal_paths "$cur" default -f'
  if (values === 'folders') return '_request_journal_paths "$cur" dirnames -d'
  return `COMPREPLY=($(compgen -W '${values.join(' ')}' -- "$cur"))`
}

function commandArm({ path, options, commands: below, values }: CompletedCommand): string {
  const flags = options.flatMap(({ long, short }) => [long, short].filter((name) => name !== null))
  const words = typeof values === 'object' ? (values ?? []) : []
  const names = [...below.map(({ name }) => name), ...words]
  const lines = [`    '${path}')`]
  if (typeof values === 'string') {
    lines.push('      if [[ $cur != -* ]]; then', `        ${replyOf(values)}`, '        return', '      fi')
  }
  // Options are offered after a dash, or if there is nothing else to offer.
  if (names.length > 0) lines.push(`      offered='${names.join(' ')}'`, '      [[ $cur == -* ]] &&')
  return [...lines, `      offered='${flags.join(' ')}'`, '      ;;'].join('\n')
}

/** Makes an arm of a `case` for many patterns, a few on each line. */
function arms(patterns: readonly string[], body: string, indent: number): string {
  const margin = ' '.repeat(indent)
  const lines: string[] = []
  for (const pattern of patterns) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + pattern.length < 96 - indent) {
      lines[lines.length - 1] = `${last} | ${pattern}`
    } else lines.push(pattern)
  }
  return `${margin}${lines.join(` | \\\n${margin}  `)})\n${margin}  ${body}\n${margin}  ;;`
}
