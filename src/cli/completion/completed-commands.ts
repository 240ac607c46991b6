import type { Argument, Command, Option } from 'commander'
import { isRepeatable, suggestionsOf } from '../run/command.js'

/** What a shell offers for a value: some words, or names of files or folders; null: nothing. */
export type Values = readonly string[] | 'files' | 'folders' | null

export interface CompletedOption {
  /** `--db`; null if it has no long name. */
  long: string | null
  /** `-h`; null if it has no short name. */
  short: string | null
  about: string
  takesValue: 'never' | 'maybe' | 'always'
  valueName: string
  values: Values
  isRepeatable: boolean
}

export interface CompletedCommand {
  /** `prices import`; empty for the program itself. */
  path: string
  options: CompletedOption[]
  /** The commands below it, each with its summary. */
  commands: { name: string; about: string }[]
  /** The values of its arguments. */
  values: Values
}

/** Describes each command and option that the help shows, in the words of the help. */
export function completedCommands(program: Command, before: readonly string[] = []): CompletedCommand[] {
  const help = program.createHelp()
  const below = help.visibleCommands(program)
  const names = below.map((command) => command.name())
  const commands = below.map((command) => ({
    name: command.name(),
    about: firstClause(help.subcommandDescription(command)),
  }))
  const own: CompletedCommand = {
    path: before.join(' '),
    options: help.visibleOptions(program).map(completedOption),
    commands,
    values: valuesOf(program.registeredArguments),
  }
  return [
    own,
    ...below.flatMap((command) =>
      command.name() === 'help'
        ? [{ path: [...before, 'help'].join(' '), options: [], commands: [], values: names }]
        : completedCommands(command, [...before, command.name()]),
    ),
  ]
}

/** Whether an option takes a value, by the bracket before the name of its value. */
const TAKES_VALUE = { '<': 'always', '[': 'maybe' } as const

function completedOption(option: Option): CompletedOption {
  const [, bracket, valueName = ''] = /([<[])([^\]>]*)/.exec(option.flags) ?? []
  return {
    long: option.long ?? null,
    short: option.short ?? null,
    about: firstClause(option.description),
    takesValue: bracket === undefined ? 'never' : TAKES_VALUE[bracket as '<' | '['],
    valueName,
    values: option.argChoices ?? suggestionsOf(option) ?? pathsOf(valueName),
    isRepeatable: isRepeatable(option),
  }
}

function valuesOf([argument]: readonly Argument[]): Values {
  return argument === undefined ? null : (argument.argChoices ?? pathsOf(argument.name()))
}

function pathsOf(valueName: string): Values {
  if (valueName === 'file' || valueName === 'path') return 'files'
  return valueName === 'dir' ? 'folders' : null
}

/** A shell shows one line for each option. */
function firstClause(description: string): string {
  return description.split(/[;:] |\. /, 1)[0] ?? ''
}

/** The options whose value is the next word: the same in every command that has them. */
export function optionsWithValue(commands: readonly CompletedCommand[]): string[] {
  const names = commands.flatMap(({ options }) =>
    options.filter(({ takesValue }) => takesValue === 'always').map(({ long }) => long ?? ''),
  )
  return [...new Set(names)]
}
