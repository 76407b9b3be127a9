/** JSON that does not fit its message: says where (`task.retry_policy.max_attempts`, `requests[3]`) and why. */
export class JsonViolation extends Error {
  override readonly name = 'JsonViolation'
  readonly description: string
  path = ''

  constructor(description: string, path = '') {
    super(description)
    this.description = description
    this.path = path
  }

  /** The same violation seen from one level further out. */
  under(segment: string): this {
    this.path = this.path === '' || this.path.startsWith('[') ? segment + this.path : `${segment}.${this.path}`
    return this
  }
}

/** An integer that the number type of JSON.parse cannot hold; the caller parses again, keeping the digits. */
export class InexactNumber extends Error {
  override readonly name = 'InexactNumber'
}

/** What a JSON value is, for messages to people. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
