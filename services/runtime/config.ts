/** Configuration comes from the environment and is read once, here: no other file of a process looks at `process.env`. */
import { parseDuration } from '@flowforge/mesh/policy/duration'

/** A variable that is missing or cannot be read; the message is one line that tells an operator what to set. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/** One environment variable: its name, what is used when it is unset, and how its text becomes a value. */
export interface Variable<T> {
  name: string
  default: T | undefined
  optional: boolean
  example: string
  /** The value is a secret: no message shows it. */
  isSecret?: boolean
  /** Throws an `Error` whose message completes the sentence "X must …". */
  parse: (text: string) => T
}

export type Spec = Record<string, Variable<unknown>>
export type Values<S extends Spec> = { [K in keyof S]: S[K] extends Variable<infer T> ? T : never }

interface Common<D> {
  default?: D
  /** Unset is fine and reads as `undefined`. */
  optional?: boolean
  /** What a message shows as a right value; the default, or one of the kind, if undefined. */
  example?: string
}

/** Reads every variable of `spec`, or throws a `ConfigError` about the first that is missing or wrong. */
export function readConfig<S extends Spec>(spec: S, env: NodeJS.ProcessEnv = process.env): Values<S> {
  const values: Record<string, unknown> = {}
  for (const [key, variable] of Object.entries(spec)) values[key] = readVariable(variable, env[variable.name])
  return values as Values<S>
}

function readVariable<T>(variable: Variable<T>, value: string | undefined): T | undefined {
  if (value === undefined || value === '') {
    if (variable.default !== undefined || variable.optional) return variable.default
    throw new ConfigError(`${variable.name} is not set; example: ${variable.name}=${variable.example}`)
  }
  try {
    return variable.parse(value)
  } catch (error) {
    throw new ConfigError(
      `${variable.name} must ${(error as Error).message}${shown(variable, value)}; example: ${variable.name}=${variable.example}`,
    )
  }
}

function shown({ isSecret }: Variable<unknown>, value: string): string {
  return isSecret ? '' : `, but is '${withoutPassword(value)}'`
}

function withoutPassword(value: string): string {
  return value.replace(/(:\/\/[^:/@]*:)[^@]*@/, '$1***@')
}

function variable<T>(
  name: string,
  example: string,
  options: Common<NoInfer<T>>,
  parse: (text: string) => T,
): Variable<T> {
  const { default: fallback, optional = false } = options
  return { name, example: options.example ?? example, default: fallback, optional, parse }
}

/** `host:port`; port 0 asks the system for a free one. */
export function address(name: string, options: Common<string> = {}): Variable<string> {
  return variable(name, options.default ?? '127.0.0.1:7101', options, (value) => {
    if (!isHostAndPort(value)) throw new Error('be host:port')
    return value
  })
}

/** Where to call a service: `host:port`, `dns:///host:port`, or `ipv4:address:port,address:port` for several of it. */
export function target(name: string, options: Common<string> = {}): Variable<string> {
  return variable(name, '127.0.0.1:7101', options, (value) => {
    const addresses = value.startsWith('ipv4:') ? value.slice(5).split(',') : [value.replace(/^dns:\/\/\//, '')]
    if (!addresses.every((one) => isHostAndPort(one) && !one.endsWith(':0')))
      throw new Error('be host:port, dns:///host:port or ipv4:address:port,…')
    return value
  })
}

/** A PostgreSQL connection URL. */
export function postgresUrl(name: string, options: Common<string> = {}): Variable<string> {
  return variable(name, 'postgres://user:password@127.0.0.1:5432/flowforge', options, (value) => {
    if (!/^postgres(ql)?:$/.test(URL.parse(value)?.protocol ?? '')) throw new Error('be a postgres:// URL')
    return value
  })
}

/** A Redis connection URL. */
export function redisUrl(name: string, options: Common<string> = {}): Variable<string> {
  return variable(name, 'redis://127.0.0.1:6379', options, (value) => {
    const url = URL.parse(value)
    if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '') {
      throw new Error('be a redis:// or rediss:// URL')
    }
    return value
  })
}

/** An `http://` or `https://` URL. */
export function httpUrl(name: string, options: Common<string> = {}): Variable<string> {
  return variable(name, 'http://127.0.0.1:4318', options, (value) => {
    if (!/^https?:$/.test(URL.parse(value)?.protocol ?? '')) throw new Error('be an http:// or https:// URL')
    return value
  })
}

/** One of a few words. */
export function oneOf<const T extends string>(
  name: string,
  choices: readonly T[],
  options: Common<T> = {},
): Variable<T> {
  return variable<T>(name, choices[0] ?? '', options, (value) => {
    const choice = choices.find((one) => one === value)
    if (choice === undefined) throw new Error(`be one of ${choices.join(', ')}`)
    return choice
  })
}

/** A whole number within bounds. */
export function integer(name: string, options: Common<number> & { min?: number; max?: number } = {}): Variable<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options
  return variable(name, String(options.default ?? min), options, (value) => {
    const number = Number(value)
    if (!/^-?\d+$/.test(value) || number < min || number > max) {
      throw new Error(`be a whole number from ${min} to ${max}`)
    }
    return number
  })
}

/** A length of time such as `250ms`, `10s`, `5m`, `1h`; read as milliseconds. */
export function duration(
  name: string,
  options: { default?: string; optional?: boolean; min?: string; max?: string } = {},
): Variable<number> {
  const { min = '0ms', max = '8760h' } = options
  const parse = (value: string): number => {
    const ms = parseDuration(value)
    if (ms === undefined || ms < parseDuration(min)! || ms > parseDuration(max)!) {
      throw new Error(`be a duration from ${min} to ${max}`)
    }
    return ms
  }
  const fallback = options.default === undefined ? undefined : parse(options.default)
  return variable(name, options.default ?? '10s', { default: fallback, optional: options.optional }, parse)
}

/** A file or folder; relative ones are relative to the working directory. Whether it exists is checked by its reader. */
export function path(name: string, options: Common<string> = {}): Variable<string> {
  return variable(name, '.flowforge/certificates/tasks', options, (value) => value)
}

/** Free text. */
export function text(name: string, options: Common<string> = {}): Variable<string> {
  return variable(name, 'text', options, (value) => value)
}

/** A resource's own part of its name, as the APIs take it: `default` of `projects/default`. */
export function resourceId(name: string, options: Common<string> = {}): Variable<string> {
  return variable(name, 'default', options, (value) => {
    if (!/^[a-z0-9-]{1,63}$/.test(value)) throw new Error('be 1 to 63 lower-case letters, digits and hyphens')
    return value
  })
}

/** Words separated by commas; blanks around them do not count. */
export function list(name: string, options: Common<string[]> = {}): Variable<string[]> {
  return listOf(name, options, (word) => word)
}

/** The same of words that mean something; `read` throws as `Variable.parse` does. */
export function listOf<T>(name: string, options: Common<T[]>, read: (word: string) => T): Variable<T[]> {
  return variable(name, 'one,two', options, (value) =>
    value
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '')
      .map((word) => read(word)),
  )
}

function isHostAndPort(value: string): boolean {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(value)
  return match !== null && Number(match[2]) <= 65_535
}
