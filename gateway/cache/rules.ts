/**
 * What may be kept and what ends it, from `flowforge.mesh.v1.cache`. Each kept answer depends on tags, and each change
 * bumps some:
 *
 *     GET  projects/a/users        list:projects/a/users
 *     GET  projects/a/users/u      item:projects/a/users/u   items:projects/a/users
 *     POST projects/a/users        bumps the list
 *     any change of users/u        bumps the item and the list
 *     also_changes: "users"        bumps list and items
 */
import { getOption, hasOption, type FileRegistry } from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel as Idempotency } from '@bufbuild/protobuf/wkt'
import type { Exchange, Route } from '../transcoder/transcoder.ts'

/** How the answers of one RPC are kept. */
export interface ReadRule {
  readonly kind: 'list' | 'item'
  /** JSON name of the field without which an answer is not kept. */
  readonly whenSet: string | undefined
}

type Target = Pick<Exchange, 'route' | 'variables'>

interface CacheOption {
  kind: number
  whenSet: string
  alsoChanges: string[]
}

const kinds = [undefined, 'list', 'item'] as const

/** The rules of all routes; throws when an option names a field that is not there. */
export class CacheRules {
  readonly #reads = new Map<Route, ReadRule>()
  readonly #alsoChanges = new Map<Route, readonly string[]>()
  /** Collections of which lists or single resources are kept: changes of others need not be noted. */
  readonly #kept = { list: new Set<string>(), item: new Set<string>() }

  constructor(registry: FileRegistry, routes: readonly Route[]) {
    const extension = registry.getExtension('flowforge.mesh.v1.cache')
    if (extension === undefined) return
    for (const route of routes) {
      const { method } = route
      if (!hasOption(method, extension)) continue
      const { kind, whenSet, alsoChanges } = getOption(method, extension) as unknown as CacheOption
      if (alsoChanges.length > 0) this.#alsoChanges.set(route, alsoChanges)
      const word = kinds[kind]
      if (word === undefined) continue
      const field = method.output.fields.find(({ name }) => name === whenSet)
      if (whenSet !== '' && field === undefined)
        throw new Error(`${route.path}: cache.when_set is no field of its answer`)
      this.#reads.set(route, { kind: word, whenSet: field?.jsonName })
      this.#kept[word].add(collectionId(route, word))
    }
  }

  /** How answers of this route are kept; undefined if they are not. */
  readOf(route: Route): ReadRule | undefined {
    return this.#reads.get(route)
  }

  /** The tags on which an answer depends. */
  tagsOf(target: Target, { kind }: ReadRule): string[] {
    const name = resourceOf(target)
    return kind === 'list' ? [`list:${name}`] : [`item:${name}`, `items:${parentOf(name)}`]
  }

  /** The tags that a call bumps; none if nothing that is kept can be touched by it. */
  changesOf(target: Target): string[] {
    if (target.route.method.idempotency === Idempotency.NO_SIDE_EFFECTS) return []
    const name = resourceOf(target)
    const collection = isItem(name) ? parentOf(name) : name
    const id = lastOf(collection)
    const tags: string[] = []
    if (this.#kept.list.has(id)) tags.push(`list:${collection}`)
    if (this.#kept.item.has(id) && isItem(name)) tags.push(`item:${name}`)
    const project = name.split('/', 2).join('/')
    for (const other of this.#alsoChanges.get(target.route) ?? [])
      tags.push(`list:${project}/${other}`, `items:${project}/${other}`)
    return tags
  }
}

/** The resource or collection that a path names, without the version in front: `projects/a/tasks`. */
function resourceOf({ route: { template }, variables }: Target): string {
  const [variable] = template.variables
  const bound = variable && variables.get(variable.fieldPath)
  const literals = template.segments
    .slice(variable?.end ?? 1)
    .map((segment) => (segment.kind === 'literal' ? segment.text : '*'))
  return [...(bound === undefined ? [] : [bound]), ...literals].join('/')
}

/** Which collection a reading route is about. */
function collectionId({ template }: Route, kind: 'list' | 'item'): string {
  const segment = template.segments.at(kind === 'list' ? -1 : -2)
  return segment?.kind === 'literal' ? segment.text : ''
}

/** Resource names are collections and identifiers in turn (AIP-122). */
function isItem(name: string): boolean {
  return name.split('/').length % 2 === 0
}

function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/'))
}

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}
