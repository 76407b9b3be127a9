/** What all suites do with their command line: help, one line about what is wrong, numbers in a range and lists of names. */
import { parseArgs, type ParseArgsConfig } from 'node:util'

type Spec = NonNullable<ParseArgsConfig['options']>
type Values<T extends Spec> = ReturnType<typeof parseArgs<{ args: string[]; options: T }>>['values']

/**
 * Reads a suite's options. `--help` prints its usage and ends with 0; what cannot be parsed, or `read` throws, is told
 * above the usage and ends with 2.
 */
export function suiteOptions<const T extends Spec, Read>(
  usage: string,
  args: string[],
  options: T,
  read: (values: Values<T>) => Read,
): Read {
  try {
    const { values } = parseArgs({ args, options: { ...options, help: { type: 'boolean' } } as Spec })
    if (values['help'] === true) {
      process.stdout.write(usage)
      process.exit(0)
    }
    return read(values as Values<T>)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    return process.exit(2)
  }
}

/** An option's number; throws with the option's name when it is not within its bounds. */
export function numberOf(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!(value >= min && value <= max)) throw new Error(`--${name} must be from ${min} to ${max}`)
  return value
}

/** As {@link numberOf}, of whole numbers. */
export function wholeNumberOf(name: string, text: string, min: number, max: number): number {
  const value = numberOf(name, text, min, max)
  if (!Number.isInteger(value)) throw new Error(`--${name} must be a whole number`)
  return value
}

/** The names of a list with commas, in the order of all that there are; all if there is no list, an error for an unknown one. */
export function namesOf<Name extends string>(option: string, list: string | undefined, all: readonly Name[]): Name[] {
  if (list === undefined) return [...all]
  const wanted = list.split(',')
  const unknown = wanted.filter((name) => !all.some((known) => known === name))
  if (unknown.length > 0) throw new Error(`--${option}: there is no ${unknown.join(' and no ')}`)
  return all.filter((name) => wanted.includes(name))
}
