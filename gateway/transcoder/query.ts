import type { DescMessage } from '@bufbuild/protobuf'
import { resolveLeaf, setLeaf, type Leaf, type Tree } from './fields.ts'
import { JsonViolation } from './json/violation.ts'

// A recursive message has endless field paths, and a stranger chooses which are asked for.
const knownMax = 1_000

/** Binds query parameters to the fields that neither the path nor the body binds. */
export class QueryBinder {
  readonly #message: DescMessage
  readonly #isTaken: (leaf: Leaf) => boolean
  readonly #known = new Map<string, Leaf>()

  constructor(message: DescMessage, isTaken: (leaf: Leaf) => boolean) {
    this.#message = message
    this.#isTaken = isTaken
  }

  /**
   * Puts `a=1&b.c=2` into the tree; throws JsonViolation. Parameters that begin with `$` are not ours and skipped, and on
   * demand so are those that are no fields.
   */
  bind(tree: Tree, query: string, skipsUnknown: boolean): void {
    const seen = new Set<string>()
    for (const pair of query.split('&')) {
      if (pair === '' || pair.startsWith('$') || pair.startsWith('%24')) continue
      const equals = pair.indexOf('=')
      const key = decode(equals < 0 ? pair : pair.slice(0, equals))
      const leaf = this.#leaf(key)
      if (leaf === undefined) {
        if (skipsUnknown) continue
        throw new JsonViolation('there is no such field that a query can set', key.slice(0, 100))
      }
      if (seen.has(leaf.path) && !leaf.isList) throw new JsonViolation('given more than once', leaf.path)
      seen.add(leaf.path)
      try {
        setLeaf(tree, leaf, leaf.convert(decode(equals < 0 ? '' : pair.slice(equals + 1))))
      } catch (error) {
        throw error instanceof JsonViolation && error.path === '' ? error.under(leaf.path) : error
      }
    }
  }

  #leaf(key: string): Leaf | undefined {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const leaf = key.length > 500 ? undefined : resolveLeaf(this.#message, key)
    if (leaf === undefined) return undefined
    if (this.#isTaken(leaf)) throw new JsonViolation('is set by the path or the body, not by the query', leaf.path)
    if (this.#known.size < knownMax) this.#known.set(key, leaf)
    return leaf
  }
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    // decodeURIComponent tells no more than that.
    throw new JsonViolation('the query is not percent-encoded UTF-8')
  }
}
