/** What changed between two policies, and whether that opens or weakens something. */
import type { RatePolicy } from '../policy/policy.ts'
import type { MethodSnapshot, Snapshot } from '../outputs/snapshot.ts'

/**
 * `widened`: somebody may do more. `weakened`: a bound or a safety that callers rely on is gone. Both need a decision.
 * `noted`: everything else.
 */
export interface Change {
  kind: 'widened' | 'weakened' | 'noted'
  /** One sentence without a full stop. A decision quotes it to acknowledge the change. */
  text: string
}

/** All changes from one policy to another; the ones that need a decision first. */
export function diff(from: Snapshot, to: Snapshot): Change[] {
  const changes: Change[] = [...edges(from, to), ...ports(from, to)]
  for (const path of new Set([...Object.keys(from.methods), ...Object.keys(to.methods)])) {
    const [before, after] = [from.methods[path], to.methods[path]]
    if (before && after) changes.push(...method(path, before, after))
    else if (after) changes.push(note(`${path} is new, for ${after.callers.join(', ')}`))
    else changes.push(note(`${path} is gone`))
  }
  const order = { widened: 0, weakened: 1, noted: 2 }
  return changes.sort((a, b) => order[a.kind] - order[b.kind] || (a.text < b.text ? -1 : 1))
}

function method(path: string, before: MethodSnapshot, after: MethodSnapshot): Change[] {
  const changes: Change[] = []
  const widen = (text: string) => changes.push({ kind: 'widened', text })
  const weaken = (text: string) => changes.push({ kind: 'weakened', text })
  for (const caller of added(before.callers, after.callers)) widen(`${caller} may call ${path}`)
  for (const role of added(before.roles, after.roles)) widen(`the role ${role} may use ${path}`)
  for (const caller of added(after.callers, before.callers)) changes.push(note(`${caller} may no longer call ${path}`))
  for (const role of added(after.roles, before.roles)) changes.push(note(`the role ${role} may no longer use ${path}`))
  changes.push(...rate(path, before.rate, after.rate))
  changes.push(...time(`${path}: timeout`, before.timeoutMs, after.timeoutMs))
  changes.push(...time(`${path}: idle timeout`, before.idleTimeoutMs, after.idleTimeoutMs))
  if (before.idempotent && !after.idempotent) weaken(`${path} is no longer safe to repeat`)
  if (!before.idempotent && after.idempotent) changes.push(note(`${path} is now safe to repeat`))
  const [retryBefore, retryAfter] = [before.retry, after.retry].map((retry) => JSON.stringify(retry ?? null))
  if (retryBefore !== retryAfter) changes.push(note(`${path}: retries ${retryBefore} are now ${retryAfter}`))
  if (before.concurrency !== after.concurrency || before.group !== after.group) {
    changes.push(
      note(`${path}: group ${before.group} (${before.concurrency}) is now ${after.group} (${after.concurrency})`),
    )
  }
  return changes
}

/** Connections that the network did not let through before, whichever RPC brought them. */
function edges(from: Snapshot, to: Snapshot): Change[] {
  return added(edgesOf(from), edgesOf(to)).map((edge) => ({ kind: 'widened', text: `${edge} over the network` }))
}

function edgesOf({ methods }: Snapshot): string[] {
  const all = Object.entries(methods).flatMap(([path, { callers }]) => {
    const component = /^\/flowforge\.(\w+)\./.exec(path)?.[1] ?? path
    return callers.map((caller) => `${caller} reaches ${component}`)
  })
  return [...new Set(all)]
}

function ports(from: Snapshot, to: Snapshot): Change[] {
  const names = new Set([...Object.keys(from.meshRates), ...Object.keys(to.meshRates)])
  return [...names].flatMap((name) => rate(`the port of ${name}`, from.meshRates[name], to.meshRates[name]))
}

function rate(what: string, before: RatePolicy | undefined, after: RatePolicy | undefined): Change[] {
  return (['requestsPerSecond', 'perIdentity'] as const).flatMap((key) => {
    const name = key === 'perIdentity' ? 'calls per second of one caller' : 'calls per second'
    const [old, now] = [before?.[key], after?.[key]]
    if (old === now) return []
    if (now === undefined) return [{ kind: 'widened' as const, text: `${what} is no longer limited to ${old} ${name}` }]
    if (old === undefined || now < old) return [note(`${what} is limited to ${now} ${name}`)]
    return [{ kind: 'widened' as const, text: `${what} takes ${now} ${name} instead of ${old}` }]
  })
}

function time(what: string, before: number | undefined, after: number | undefined): Change[] {
  if (before === after) return []
  if (after === undefined) return [{ kind: 'weakened', text: `${what} of ${before} ms is gone` }]
  return [note(before === undefined ? `${what} is now ${after} ms` : `${what} is ${after} ms instead of ${before} ms`)]
}

function note(text: string): Change {
  return { kind: 'noted', text }
}

function added(before: string[], after: string[]): string[] {
  return after.filter((one) => !before.includes(one))
}
