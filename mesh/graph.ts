/** Who calls whom, and how often at worst: what follows from all policies together. */
import { components, type Component, type MethodPolicy, type Policies } from './policy/policy.ts'

/** All RPCs of one component that another one may call. */
export interface Edge {
  from: Component
  to: Component
  methods: MethodPolicy[]
}

/** The call graph, in the order of `components`. */
export function callGraph({ methods }: Policies): Edge[] {
  const edges: Edge[] = []
  for (const from of components) {
    for (const to of components) {
      const called = [...methods.values()].filter((one) => one.component === to && one.callers.has(from))
      if (called.length > 0) edges.push({ from, to, methods: called })
    }
  }
  return edges
}

/** A way that a call may take through components, and how many attempts one request becomes at its end. */
export interface Amplification {
  path: Component[]
  attempts: number
}

/**
 * Every way through the graph with the worst product of attempts over its hops, worst first.
 *
 * It is an upper bound: it supposes that a component, to serve any RPC, calls whatever it may call, that everything at
 * the far end fails, and that no retry budget is spent.
 */
export function amplifications(policies: Policies): Amplification[] {
  const edges = callGraph(policies)
  const found: Amplification[] = []
  const walk = (path: Component[], attempts: number): void => {
    for (const edge of edges.filter(({ from }) => from === path.at(-1))) {
      if (path.includes(edge.to)) continue
      const next = attempts * Math.max(...edge.methods.map(({ retry }) => retry?.attempts ?? 1))
      found.push({ path: [...path, edge.to], attempts: next })
      walk([...path, edge.to], next)
    }
  }
  for (const component of components) walk([component], 1)
  return found.sort((a, b) => b.attempts - a.attempts || b.path.length - a.path.length)
}
