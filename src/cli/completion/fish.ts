import {
  type CompletedCommand,
  type CompletedOption,
  optionsWithValue,
  type Values,
} from './completed-commands.js'

/** Makes the script for fish 3 and later. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const paths = commands.filter(({ path }) => path !== '').map(({ path }) => quoted(path))
  return `# Completion of request-journal for fish: request-journal completion fish | source

# Whether the words before the cursor name this command.
function __request_journal_is
    set -l words (commandline -opc)
    set -l path ''
    set -l skip 0
    for word in $words[2..]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case ${optionsWithValue(commands).join(' ')}
                set skip 1
            case '-*'
            case '*'
                set -l longer (string trim -- "$path $word")
                if contains -- $longer ${paths.join(' ')}
                    set path $longer
                end
        end
    end
    test "$path" = "$argv[1]"
end

complete -c request-journal -f
${commands.map(linesOf).join('\n')}
`
}

function linesOf({ path, options, commands: below, values }: CompletedCommand): string {
  const start = `complete -c request-journal -n "__request_journal_is '${path}'"`
  const lines = below.map(({ name, about }) => `${start} -a ${name} -d ${quoted(about)}`)
  if (values !== null) lines.push(`${start}${valuesText(values)}`)
  return [...lines, ...options.map((option) => `${start}${optionText(option)}`)].join('\n')
}

function optionText({ long, short, about, takesValue, values }: CompletedOption): string {
  const names = `${short === null ? '' : ` -s ${short.slice(1)}`}${long === null ? '' : ` -l ${long.slice(2)}`}`
  const value = takesValue === 'never' ? '' : `${takesValue === 'always' ? ' -r' : ''}${valuesText(values)}`
  return `${names}${value} -d ${quoted(about)}`
}

function valuesText(values: Values): string {
  if (values === null) return ' -f'
  if (values === 'files') return ' -F'
  return values === 'folders'
    ? " -f -a '(__fish_complete_directories)'"
    : ` -f -a ${quoted(values.join(' '))}`
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`
}
