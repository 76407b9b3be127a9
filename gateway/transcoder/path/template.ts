/**
 * The path templates of google/api/http.proto:
 *
 *     Template  = "/" Segments [ Verb ]
 *     Segments  = Segment { "/" Segment }
 *     Segment   = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}"
 *     FieldPath = IDENT { "." IDENT }
 *     Verb      = ":" LITERAL
 */

/** One segment of a path: a literal, exactly one segment of any text, or all that is left. */
export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'one' }
  | { readonly kind: 'rest' }

/** A part of the path that is bound to a field: the segments from `start` up to, not including, `end`. */
export interface Variable {
  readonly fieldPath: string
  readonly start: number
  /** Infinity when the variable ends with `**`. */
  readonly end: number
  /** Whether it can span several segments, which keeps an encoded slash encoded. */
  readonly isMulti: boolean
}

/** A parsed template. */
export interface Template {
  readonly text: string
  readonly segments: readonly Segment[]
  readonly variables: readonly Variable[]
  readonly verb: string | undefined
}

/** Parses a template; throws when it breaks the grammar, naming the place. */
export function parseTemplate(text: string): Template {
  return new TemplateParser(text).parse()
}

class TemplateParser {
  readonly #text: string
  readonly #segments: Segment[] = []
  readonly #variables: Variable[] = []
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): Template {
    this.#expect('/')
    this.#readSegments(true)
    let verb: string | undefined
    if (this.#peek() === ':') {
      this.#at++
      verb = this.#literal()
    }
    if (this.#at < this.#text.length) this.#fail('expected the end')
    const rest = this.#segments.findIndex((segment) => segment.kind === 'rest')
    if (rest >= 0 && rest < this.#segments.length - 1) this.#fail('** is only allowed at the end')
    const names = this.#variables.map((variable) => variable.fieldPath)
    if (new Set(names).size < names.length) this.#fail('a field is bound twice')
    return { text: this.#text, segments: this.#segments, variables: this.#variables, verb }
  }

  #readSegments(mayBind: boolean): void {
    for (;;) {
      if (this.#peek() === '{') {
        if (!mayBind) this.#fail('a variable inside a variable')
        this.#variable()
      } else this.#plainSegment()
      if (this.#peek() !== '/') return
      this.#at++
    }
  }

  #plainSegment(): void {
    if (this.#text.startsWith('**', this.#at)) {
      this.#at += 2
      this.#segments.push({ kind: 'rest' })
    } else if (this.#peek() === '*') {
      this.#at++
      this.#segments.push({ kind: 'one' })
    } else this.#segments.push({ kind: 'literal', text: this.#literal() })
  }

  #variable(): void {
    this.#expect('{')
    const fieldPath = this.#match(/[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*/y, 'a field path')
    const start = this.#segments.length
    if (this.#peek() === '=') {
      this.#at++
      this.#readSegments(false)
    } else this.#segments.push({ kind: 'one' })
    this.#expect('}')
    const isRest = this.#segments.at(-1)?.kind === 'rest'
    const end = isRest ? Number.POSITIVE_INFINITY : this.#segments.length
    this.#variables.push({ fieldPath, start, end, isMulti: isRest || end - start > 1 })
  }

  #literal(): string {
    return decodeURIComponent(this.#match(/(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-Fa-f]{2})+/y, 'a literal'))
  }

  #match(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found === undefined) this.#fail(`expected ${what}`)
    this.#at += found!.length
    return found!
  }

  #expect(character: string): void {
    if (this.#peek() !== character) this.#fail(`expected ${character}`)
    this.#at++
  }

  #peek(): string | undefined {
    return this.#text[this.#at]
  }

  #fail(problem: string): never {
    throw new SyntaxError(`path template ${JSON.stringify(this.#text)}, column ${this.#at + 1}: ${problem}`)
  }
}
