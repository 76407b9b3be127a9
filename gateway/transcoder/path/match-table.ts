import type { Segment, Template } from './template.ts'

/** A match: what was registered, and the text of each of its variables, in the template's order. */
export interface Match<T> {
  readonly value: T
  readonly variables: readonly string[]
}

/** What a path leads to: a match, or the HTTP methods that it would have matched with, none if unknown. */
export type Lookup<T> =
  | { readonly kind: 'match'; readonly match: Match<T> }
  | { readonly kind: 'none'; readonly allowed: readonly string[] }

interface Leaf<T> {
  readonly template: Template
  readonly value: T
}

interface Node<T> {
  readonly literals: Map<string, Node<T>>
  one: Node<T> | undefined
  /** By HTTP method: templates that end here. */
  readonly leaves: Map<string, Leaf<T>>
  /** By HTTP method: templates that end in `**` here. */
  readonly rest: Map<string, Leaf<T>>
}

/** The path holds a `%` that is not followed by the bytes of a character. */
export class MalformedPath extends Error {
  override readonly name = 'MalformedPath'
}

/** Any method that has no template of its own. */
export const anyMethod = '*'

/**
 * Finds the template of a request. Segment by segment from the left a literal wins over `*`, and `*` over `**`; a choice
 * that leads nowhere is taken back. A `:verb` of the last segment is tried as a verb first, then as plain text.
 */
export class MatchTable<T> {
  readonly #byVerb = new Map<string, Node<T>>()
  readonly #values: T[] = []

  /** Everything that was registered, in that order. */
  get values(): readonly T[] {
    return this.#values
  }

  /** Registers a template. Two templates that match the same paths with the same method are an error. */
  add(method: string, template: Template, value: T): void {
    const verb = template.verb ?? ''
    let node = this.#byVerb.get(verb)
    if (node === undefined) this.#byVerb.set(verb, (node = newNode()))
    for (const segment of template.segments) if (segment.kind !== 'rest') node = child(node, segment)
    const leaves = template.segments.at(-1)?.kind === 'rest' ? node.rest : node.leaves
    const other = leaves.get(method)
    if (other !== undefined)
      throw new Error(`${method} ${template.text} matches the same paths as ${other.template.text}`)
    leaves.set(method, { template, value })
    this.#values.push(value)
  }

  /** Looks up a path without its query; throws MalformedPath. */
  find(method: string, path: string): Lookup<T> {
    const allowed = new Set<string>()
    if (path.charCodeAt(0) !== 47 /* / */) return { kind: 'none', allowed: [] }
    const segments = path.slice(1).split('/')
    const last = segments.length - 1
    const lastText = segments[last]!
    const colon = lastText.lastIndexOf(':')
    if (colon >= 0) {
      const table = this.#byVerb.get(decode(lastText.slice(colon + 1)))
      segments[last] = lastText.slice(0, colon)
      const leaf = table && search(table, segments, 0, method, allowed)
      if (leaf !== undefined) return found(leaf, segments)
      segments[last] = lastText
    }
    const plain = this.#byVerb.get('')
    // A known path with a known verb but another method is 405, not a plain path that happens to hold a colon.
    const leaf = plain && allowed.size === 0 ? search(plain, segments, 0, method, allowed) : undefined
    return leaf === undefined ? { kind: 'none', allowed: [...allowed].toSorted() } : found(leaf, segments)
  }
}

function newNode<T>(): Node<T> {
  return { literals: new Map(), one: undefined, leaves: new Map(), rest: new Map() }
}

function child<T>(node: Node<T>, segment: Segment): Node<T> {
  if (segment.kind !== 'literal') return (node.one ??= newNode())
  let next = node.literals.get(segment.text)
  if (next === undefined) node.literals.set(segment.text, (next = newNode()))
  return next
}

function search<T>(
  node: Node<T>,
  segments: readonly string[],
  at: number,
  method: string,
  allowed: Set<string>,
): Leaf<T> | undefined {
  if (at === segments.length) return pick(node.leaves, method, allowed) ?? pick(node.rest, method, allowed)
  const text = segments[at]!
  const literal = node.literals.get(text) ?? (text.includes('%') ? node.literals.get(decode(text)) : undefined)
  let leaf = literal && search(literal, segments, at + 1, method, allowed)
  if (leaf === undefined && node.one !== undefined && text !== '')
    leaf = search(node.one, segments, at + 1, method, allowed)
  return leaf ?? pick(node.rest, method, allowed)
}

function pick<T>(leaves: Map<string, Leaf<T>>, method: string, allowed: Set<string>): Leaf<T> | undefined {
  if (leaves.size === 0) return undefined
  const leaf = leaves.get(method) ?? leaves.get(anyMethod)
  if (leaf === undefined) for (const other of leaves.keys()) allowed.add(other)
  return leaf
}

function found<T>({ template, value }: Leaf<T>, segments: readonly string[]): Lookup<T> {
  const variables = template.variables.map(({ start, end, isMulti }) => {
    const text =
      end - start === 1
        ? segments[start]!
        : segments.slice(start, end === Number.POSITIVE_INFINITY ? undefined : end).join('/')
    if (!text.includes('%')) return text
    // In a variable of several segments an encoded slash must stay apart from the slashes between them.
    return isMulti
      ? text
          .split(/(%2[Ff])/)
          .map((part, index) => (index % 2 === 1 ? part : decode(part)))
          .join('')
      : decode(text)
  })
  return { kind: 'match', match: { value, variables } }
}

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    // decodeURIComponent tells no more than that; the path is what there is to say about it.
    throw new MalformedPath('the path is not percent-encoded UTF-8')
  }
}
