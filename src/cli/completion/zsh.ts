import type { CompletedCommand, CompletedOption, Values } from './completed-commands.js'

/** Makes the script for zsh, which may be sourced, or autoloaded as `_request-journal`. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  return `#compdef request-journal
# Completion of request-journal for zsh: source <(request-journal completion zsh)

${commands.map(functionOf).join('\n')}
if [[ $funcstack[1] == _request-journal ]]; then
  _request_journal "$@"
else
  compdef _request_journal request-journal
fi
`
}

function functionName(path: string): string {
  return ['_request_journal', ...path.split(' ').filter((word) => word !== '')].join('__')
}

function functionOf(command: CompletedCommand): string {
  const { path, options, commands: below, values } = command
  const specs = options.map(optionSpec)
  if (below.length === 0) {
    if (values !== null) specs.push(`'*:${typeof values === 'string' ? values : 'value'}:${action(values)}'`)
    return `${functionName(path)}() {
  _arguments -s ${['', ...specs].join(' \\\n    ')}
}
`
  }
  const described = below.map(({ name, about }) => quoted(`${name}:${about.replaceAll(':', '\\:')}`))
  const arms = below.map(({ name }) => `        ${name}) ${functionName(`${path} ${name}`.trim())} ;;`)
  return `${functionName(path)}() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -s -C ${['', ...specs, "'1:command:->command'", "'*::argument:->arguments'"].join(' \\\n    ')}
  case $state in
    command)
      local -a commands=(
        ${described.join('\n        ')}
      )
      _describe command commands
      ;;
    arguments)
      case $line[1] in
${arms.join('\n')}
      esac
      ;;
  esac
}
`
}

function optionSpec({ long, short, about, takesValue, valueName, values, isRepeatable }: CompletedOption) {
  const text = about.replaceAll(/[[\]\\]/g, '\\$&')
  const label = valueName.replaceAll(/[:\\]/g, '\\$&')
  const end = takesValue === 'never' ? '' : `:${label}:${action(values)}`
  const equals = takesValue === 'always' ? '=' : takesValue === 'maybe' ? '=-' : ''
  // An option whose value is optional takes one only after an equals sign here.
  const value = takesValue === 'maybe' ? `:${end}` : end
  if (short === null || long === null) {
    return quoted(`${isRepeatable ? '*' : ''}${long ?? short}${equals}[${text}]${value}`)
  }
  return `'(${short} ${long})'{${short},${long}}${quoted(`[${text}]${value}`)}`
}

function action(values: Values): string {
  if (values === null) return ' '
  if (values === 'files') return '_files'
  return values === 'folders' ? '_files -/' : `(${values.join(' ')})`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
