import { InvalidArgumentError } from 'commander'

/** The pairs that an option was given, by their names. */
export type Pairs = Record<string, string>

/**
 * Splits `name=value` at the first equals sign.
 *
 * @throws InvalidArgumentError with this message if there is no name before one.
 */
export function splitPair(text: string, message: string): [name: string, value: string] {
  const separator = text.indexOf('=')
  if (separator < 1) throw new InvalidArgumentError(message)
  return [text.slice(0, separator), text.slice(separator + 1)]
}

/** Parses `name=value`, neither of them empty; the option may be repeated. */
export function parsePair(text: string, before: Pairs, message: string): Pairs {
  const [name, value] = splitPair(text, message)
  if (value === '') throw new InvalidArgumentError(message)
  return withPair(before, name, value)
}

/**
 * Adds a pair to those before it. The option is refused if it has the name already, since one of
 * the values would be ignored.
 */
export function withPair(before: Pairs, name: string, value: string): Pairs {
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`'${name}' was given already.`)
  return Object.fromEntries([...Object.entries(before), [name, value]])
}
