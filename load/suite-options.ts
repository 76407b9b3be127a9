/** What all suites do with their command line: help, one line about what is wrong, and whole numbers in a range. */
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
