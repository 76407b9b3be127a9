/** Reading V8 CPU profiles. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number }; children?: number[] }[]
  samples: number[]
  timeDeltas: number[]
}

/** A table of the functions and of the packages in which the process itself spent the most time. */
export function topFunctions(profile: CpuProfile, count: number): string {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]))
  const functions = new Map<string, number>()
  const places = new Map<string, number>()
  let busyUs = 0
  for (const [index, id] of profile.samples.entries()) {
    const { functionName, url, lineNumber } = frames.get(id)!
    if (functionName === '(idle)' || functionName === '(root)') continue
    const us = Math.max(0, profile.timeDeltas[index]!)
    const place = placeOf(url)
    const name =
      url === '' ? functionName || '(native)' : `${functionName || '(anonymous)'}  ${shortened(url)}:${lineNumber + 1}`
    busyUs += us
    functions.set(name, (functions.get(name) ?? 0) + us)
    places.set(place, (places.get(place) ?? 0) + us)
  }
  const wallUs = profile.timeDeltas.reduce((sum, us) => sum + us, 0)
  const lines = (times: Map<string, number>) =>
    [...times]
      .sort(([, a], [, b]) => b - a)
      .slice(0, count)
      .map(([name, us]) => `  ${((us * 100) / busyUs).toFixed(1).padStart(5)} %  ${name}`)
  const head = `  busy ${Math.round(busyUs / 1000)} ms of ${Math.round(wallUs / 1000)} ms`
  return [head, ...lines(functions), '  by package', ...lines(places)].join('\n')
}

function placeOf(url: string): string {
  if (url === '') return '(V8: garbage collection, native code)'
  if (url.startsWith('node:')) return `node: ${url.slice(5).split('/').slice(0, 2).join('/')}`
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)
  if (inPackage) return inPackage[1]!
  return /\/((?:services|proto|sdk|gateway)\/[^/]+)/.exec(url)?.[1] ?? url
}

function shortened(url: string): string {
  return /node_modules\/(.+)$/.exec(url)?.[1] ?? /\/((?:services|proto|sdk)\/.+)$/.exec(url)?.[1] ?? url
}
