/**
 * The filter language of ListTasks, a subset of AIP-160 (https://google.aip.dev/160):
 *
 *   expression = sequence { "OR" sequence }          sequence = factor { ["AND"] factor }
 *   factor     = [ "NOT" | "-" ] ( "(" expression ")" | field comparator value )
 *   comparator = "=" | "!=" | "<" | "<=" | ">" | ">="
 *
 * As AIP-160 has it, OR binds tighter than AND.
 */
import { TaskState } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import { invalidArgument } from '@flowforge/runtime/status'

/** A condition over the columns of a task, with its parameters numbered from `$1`. */
export interface Condition {
  sql: string
  values: unknown[]
  /** Queue names among the values stand for ids, which the caller knows: `values[i]` is the name. */
  queueValues: number[]
  /** The states that a task which fits may be in. */
  states: ReadonlySet<number>
}

/** A part of the condition, and the states that it leaves possible. */
interface Part {
  sql: string
  states: ReadonlySet<number>
  /** True if nothing but the state decides it, so that its negation is known as well. */
  isStateAlone: boolean
}

const allStates: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6])

interface Token {
  kind: 'word' | 'string' | 'operator'
  text: string
  at: number
}

const lengthMax = 4096
const depthMax = 32
const comparators = new Set(['=', '!=', '<', '<=', '>', '>='])

/** Compiles a filter; INVALID_ARGUMENT with the position for one that it does not understand. */
export function compileFilter(filter: string): Condition {
  if (filter.length > lengthMax) throw refuse(`is longer than ${lengthMax} characters`)
  const parser = new Parser(tokenize(filter))
  return { ...parser.parse(), values: parser.values, queueValues: parser.queueValues }
}

class Parser {
  readonly values: unknown[] = []
  readonly queueValues: number[] = []
  readonly #tokens: Token[]
  #next = 0
  #depth = 0

  constructor(tokens: Token[]) {
    this.#tokens = tokens
  }

  parse(): { sql: string; states: ReadonlySet<number> } {
    const { sql, states } = this.#conjunction()
    const rest = this.#peek()
    if (rest) throw refuse(`has "${rest.text}" at ${rest.at}, where nothing was expected`)
    return { sql, states }
  }

  #conjunction(): Part {
    const parts = [this.#disjunction()]
    while (this.#peek() && this.#peek()!.text !== ')') {
      this.#take('AND')
      parts.push(this.#disjunction())
    }
    return joined(parts, 'and', (a, b) => a.intersection(b))
  }

  #disjunction(): Part {
    const parts = [this.#factor()]
    while (this.#take('OR')) parts.push(this.#factor())
    return joined(parts, 'or', (a, b) => a.union(b))
  }

  #factor(): Part {
    if (++this.#depth > depthMax) throw refuse(`is nested deeper than ${depthMax}`)
    const part = this.#take('NOT') || this.#take('-') ? negated(this.#factor()) : this.#simple()
    this.#depth--
    return part
  }

  #simple(): Part {
    if (this.#take('(')) {
      const part = this.#conjunction()
      if (!this.#take(')')) throw refuse('lacks a closing parenthesis')
      return part
    }
    const field = this.#expect('a field')
    const comparator = this.#expect('a comparator')
    if (!comparators.has(comparator.text))
      throw refuse(`has "${comparator.text}" at ${comparator.at}; expected one of ${[...comparators].join(' ')}`)
    const value = this.#expect('a value')
    const sql = this.#comparison(field, comparator.text, value)
    if (field.text !== 'state') return { sql, states: allStates, isStateAlone: false }
    return { sql, states: statesThat(comparator.text, stateOf(value)), isStateAlone: true }
  }

  #comparison(field: Token, comparator: string, value: Token): string {
    const compare = (column: string, parameter: unknown, cast: string) => {
      this.values.push(parameter)
      return `${column} ${comparator === '!=' ? '<>' : comparator} $${this.values.length}::${cast}`
    }
    switch (field.text) {
      case 'state':
        return compare('state', stateOf(value), 'smallint')
      case 'type':
        return compare('type', value.text, 'text')
      case 'queue':
        if (comparator !== '=' && comparator !== '!=') throw refuse('compares queue by something else than = and !=')
        this.queueValues.push(this.values.length)
        return compare('queue_id', value.text, 'integer')
      case 'priority':
        return compare('priority', integerOf(value), 'integer')
      case 'create_time':
      case 'schedule_time':
        return compare(field.text, timeOf(value), 'timestamptz')
    }
    if (field.text.startsWith('labels.') && field.text.length > 'labels.'.length) {
      this.values.push(field.text.slice('labels.'.length))
      const label = `labels->>$${this.values.length}::text`
      // A task without the label differs from any value.
      return comparator === '!='
        ? `coalesce(${compare(`(${label})`, value.text, 'text')}, true)`
        : compare(`(${label})`, value.text, 'text')
    }
    throw refuse(
      `has the field "${field.text}" at ${field.at}; known are state, type, queue, priority, create_time, schedule_time and labels.KEY`,
    )
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next]
  }

  #take(text: string): boolean {
    const token = this.#peek()
    if (!token || token.kind === 'string' || token.text !== text) return false
    this.#next++
    return true
  }

  #expect(what: string): Token {
    const token = this.#tokens[this.#next++]
    if (!token) throw refuse(`ends where ${what} was expected`)
    return token
  }
}

function joined(
  parts: Part[],
  word: string,
  combine: (a: ReadonlySet<number>, b: ReadonlySet<number>) => ReadonlySet<number>,
): Part {
  if (parts.length === 1) return parts[0]!
  return {
    sql: `(${parts.map((part) => part.sql).join(` ${word} `)})`,
    states: parts.map((part) => part.states).reduce(combine),
    isStateAlone: parts.every((part) => part.isStateAlone),
  }
}

function negated({ sql, states, isStateAlone }: Part): Part {
  return {
    sql: `not coalesce(${sql}, false)`,
    states: isStateAlone ? allStates.difference(states) : allStates,
    isStateAlone,
  }
}

function statesThat(comparator: string, state: number): ReadonlySet<number> {
  const fits: Record<string, (each: number) => boolean> = {
    '=': (each) => each === state,
    '!=': (each) => each !== state,
    '<': (each) => each < state,
    '<=': (each) => each <= state,
    '>': (each) => each > state,
    '>=': (each) => each >= state,
  }
  return new Set([...allStates].filter(fits[comparator]!))
}

function tokenize(filter: string): Token[] {
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(<=|>=|!=|[=<>()])|(-(?=[\s(a-z])|[^\s()=<>!"']+))/gy
  const tokens: Token[] = []
  const end = filter.trimEnd().length
  while (pattern.lastIndex < end) {
    const at = pattern.lastIndex
    const match = pattern.exec(filter)
    if (!match) throw refuse(`is not understood from ${at} on`)
    const quoted = match[1] ?? match[2]
    if (quoted !== undefined) tokens.push({ kind: 'string', text: quoted.replace(/\\(.)/g, '$1'), at })
    else tokens.push({ kind: match[3] ? 'operator' : 'word', text: (match[3] ?? match[4])!, at })
  }
  return tokens
}

function stateOf(value: Token): number {
  const states: Record<string, unknown> = TaskState
  const number = states[value.text] ?? states[`TASK_STATE_${value.text}`]
  if (typeof number !== 'number' || number < 1)
    throw refuse(
      `has the state "${value.text}" at ${value.at}; states are SCHEDULED, READY, RUNNING, SUCCEEDED, CANCELLED, DEAD`,
    )
  return number
}

function integerOf(value: Token): number {
  const number = Number(value.text)
  if (!Number.isSafeInteger(number) || Math.abs(number) > 2 ** 31 - 1)
    throw refuse(`has "${value.text}" at ${value.at} where an integer was expected`)
  return number
}

function timeOf(value: Token): Date {
  // RFC 3339; Date would take much more.
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(value.text)
  const time = new Date(value.text)
  if (!isTime || Number.isNaN(time.getTime()))
    throw refuse(
      `has "${value.text}" at ${value.at} where an RFC 3339 time was expected, for example "2026-01-31T02:00:00Z"`,
    )
  return time
}

function refuse(description: string) {
  return invalidArgument({ field: 'filter', description })
}
