/** Which of several routes a call takes, by Gateway API's precedence as the proxy implements it. */
import type { GrpcMatch, HttpMatch, Of, RouteSpec } from './objects.ts'

/** How well a rule fits: compared from left to right, more is better. Undefined does not fit. */
type Fit = number[] | undefined

/** The route with the best fit; of equals the one whose name comes first. Undefined when none fits. */
export function bestRoute<M>(
  routes: Of<RouteSpec<M>>[],
  fitOf: (match: M | undefined) => Fit,
): Of<RouteSpec<M>> | undefined {
  let best: { route: Of<RouteSpec<M>>; fit: number[] } | undefined
  for (const route of routes.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    for (const { matches } of route.spec.rules ?? []) {
      for (const match of matches?.length ? matches : [undefined]) {
        const fit = fitOf(match)
        if (fit && (!best || isBetter(fit, best.fit))) best = { route, fit }
      }
    }
  }
  return best?.route
}

function isBetter(a: number[], b: number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index])
  return at >= 0 && a[at]! > b[at]!
}

/** gRPC: characters of the service, then of the method. A rule without matches takes everything. */
export function grpcFit(path: string): (match: GrpcMatch | undefined) => Fit {
  const [service = '', method = ''] = path.slice(1).split('/')
  return (match) => {
    if (!match) return [0, 0]
    const named = match.method
    // A regular expression is not supported; headers are not sent by these calls.
    if ((named?.type ?? 'Exact') !== 'Exact' || (match.headers ?? []).length > 0) return undefined
    if (named?.service !== undefined && named.service !== service) return undefined
    if (named?.method !== undefined && named.method !== method) return undefined
    return [named?.service?.length ?? 0, named?.method?.length ?? 0]
  }
}

/** HTTP: an exact path, then the longest prefix by segments, then a method. gRPC calls are POSTs. */
export function httpFit(path: string): (match: HttpMatch | undefined) => Fit {
  return (match) => {
    if (!match) return [0, 0, 0]
    if ((match.headers ?? []).length > 0) return undefined
    if (match.method !== undefined && match.method !== 'POST') return undefined
    const { type = 'PathPrefix', value = '/' } = match.path ?? {}
    const prefix = value.replace(/\/$/, '')
    const isExact = type === 'Exact'
    const fits = isExact ? path === value : path === prefix || path.startsWith(`${prefix}/`)
    return fits ? [isExact ? 1 : 0, value.length, match.method === undefined ? 0 : 1] : undefined
  }
}
